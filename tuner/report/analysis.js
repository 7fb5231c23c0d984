// Parameters against objectives: parallel coordinates with ranges to choose, and a slice for each parameter.
"use strict";
const brushes = new Map(); // axis -> the chosen range of pixels, as shares of the axis's height
const allAxes = [
  ...params.map((p, k) => ({ ...p, sign: 1, of: (t) => t.params[k] })).filter((p) => !axes.some((a) => a.name === p.name)),
  ...axes.map((a, k) => ({ ...a, of: (t) => t.values[k] })).filter((a) => !a.order),
];
const PARALLEL = { top: 54, bottom: 26 };

// the scale of an axis whose upper end is the better one
function uprightScale(axis, top, bottom) {
  const values = trials.map(axis.of);
  return scaleOf({ ...axis, upright: true, whole: values.every((v) => Number.isInteger(v)), values }, bottom, top);
}

const heightOf = (scale, value) => (value === null || value === undefined ? null : scale.at(value));

function paintParallel(svg, width, height) {
  const top = PARALLEL.top, bottom = height - PARALLEL.bottom;
  const across = (k) => 60 + (k * (width - 120)) / Math.max(1, allAxes.length - 1);
  const scales = allAxes.map((axis) => uprightScale(axis, top, bottom));
  const lines = inOrder.map((t) => ({ t, kind: kindOf(t), passes: passes(t),
    points: scales.map((scale, k) => ({ x: across(k), y: heightOf(scale, allAxes[k].of(t)) })).filter((p) => p.y !== null) }));
  const joined = (kind, passing) => lines.filter((l) => l.kind === kind && l.passes === passing).map((l) => linePath(l.points)).join("");
  svg.append(element("path", { class: "line faint", d: joined("dim", false) + joined("member", false) + joined("picked", false) }));
  for (const kind of ["dim", "member", "picked"]) svg.append(element("path", { class: `line ${kind}`, d: joined(kind, true) }));
  allAxes.forEach((axis, k) => {
    svg.append(element("path", { class: "axis", d: `M${across(k)} ${top}V${bottom}` }));
    for (const tick of scales[k].ticks) {
      svg.append(element("text", { class: "halo", x: across(k) + 5, y: tick.at + 4 }, tick.text));
    }
    const anchor = "middle";
    const said = axis.unit ? `${axis.name} [${axis.unit}]` : axis.name;
    wrapped(said).forEach((line, n, all) => svg.append(element("text", { class: "title", x: across(k), y: 14 + 13 * (n + 3 - all.length) - 4, "text-anchor": anchor }, line)));
    if (axis.sign < 0) svg.append(element("text", { x: across(k), y: height - 6, "text-anchor": anchor }, "less is better"));
    drawBrush(svg, k, across(k), top, bottom);
  });
  return lines.flatMap((l) => l.points.map((p) => ({ ...p, trial: l.t.trial, lines: () => describe(l.t.trial) })));
}

// a title on up to three lines of about fourteen characters
function wrapped(text) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1) && (lines.at(-1) + word).length > 13 && lines.length < 3) lines.push("");
    lines.push(`${lines.pop()} ${word}`.trim());
  }
  return lines;
}

function drawBrush(svg, k, x, top, bottom) {
  const strip = element("rect", { class: "strip", x: x - 14, y: top, width: 28, height: bottom - top });
  const chosen = brushes.get(k);
  if (chosen) {
    const [low, high] = chosen.map((share) => top + share * (bottom - top));
    svg.append(element("rect", { class: "brush", x: x - 8, y: low, width: 16, height: high - low }));
  }
  strip.addEventListener("pointerdown", (event) => {
    if (event.pointerType === "mouse" && !event.button) startBrush(event, k, top, bottom);
  });
  svg.append(strip);
}

function startBrush(event, k, top, bottom) {
  const svg = parallel.svg, share = (e) => Math.max(0, Math.min(1, (e.clientY - svg.getBoundingClientRect().top - top) / (bottom - top)));
  const from = share(event);
  svg.setPointerCapture(event.pointerId);
  parallel.dragging = true;
  hideTip();
  const end = (e) => {
    const to = share(e);
    if (Math.abs(to - from) < 0.02) brushes.delete(k);
    else brushes.set(k, [Math.min(from, to), Math.max(from, to)]);
    parallel.dragging = false;
    parallel.dragged = true;
    setTimeout(() => { parallel.dragged = false; });
    refilter();
  };
  svg.addEventListener("pointerup", end, { once: true });
}

// whether a trial is within every chosen range
function inBrushes(t) {
  return [...brushes].every(([k, [low, high]]) => {
    const at = heightOf(uprightScale(allAxes[k], 0, 1), allAxes[k].of(t));
    return at !== null && at >= low && at <= high;
  });
}

let parallel = {};
const slices = [];

function paintSlice(k) {
  return (svg, width, height) => {
    const j = Number(by("slice-axis").value), param = params[k];
    const box = { left: 46, right: width - 10, top: 8, bottom: height - 42 };
    const x = scaleOf({ ...param, values: trials.map((t) => t.params[k]) }, box.left, box.right);
    const y = scaleOf({ ...axes[j], upright: true, values: trials.map((t) => t.values[j]) }, box.bottom, box.top);
    drawAxes(svg, box, x, y, param.name, "");
    const known = inOrder.filter((t) => t.params[k] !== null && t.params[k] !== undefined);
    const spots = known.map((t) => spotOf(t, x.at(t.params[k]), y.at(t.values[j])));
    drawTrials(svg, spots, 4);
    return spots;
  };
}

function drawAnalysis() {
  if (!by("parallel") || trials.length < 2) return;
  parallel = new Frame(by("parallel"), 400, paintParallel, 108 * allAxes.length);
  const select = by("slice-axis");
  axes.forEach((axis, j) => { if (!axis.order) select.append(new Option(axisTitle(axis), j)); });
  params.forEach((param, k) => {
    const label = `${param.name} against the chosen objective; arrow keys step through the trials`;
    const place = tag("div", { class: "chart", tabindex: "0", role: "group", "aria-label": label });
    by("slices").append(place);
    slices.push(new Frame(place, 230, paintSlice(k)));
  });
  select.addEventListener("change", () => slices.forEach((slice) => slice.draw()));
}
