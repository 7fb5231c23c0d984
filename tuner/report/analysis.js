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
  const apart = (width - 120) / Math.max(1, allAxes.length - 1);
  const across = (k) => 60 + k * apart;
  const scales = allAxes.map((axis) => uprightScale(axis, top, bottom));
  const lines = inOrder.map((t) => ({ t, kind: kindOf(t), passes: passes(t),
    points: scales.map((scale, k) => ({ x: across(k), y: heightOf(scale, allAxes[k].of(t)) })).filter((p) => p.y !== null) }));
  const joined = (kind, passing) => lines.filter((l) => l.kind === kind && l.passes === passing).map((l) => linePath(l.points)).join("");
  svg.append(element("path", { class: "line faint", d: joined("dim", false) + joined("member", false) + joined("picked", false) }));
  for (const kind of ["dim", "member", "picked"]) svg.append(element("path", { class: `line ${kind}`, d: joined(kind, true) }));
  allAxes.forEach((axis, k) => {
    svg.append(element("path", { class: "axis", d: `M${across(k)} ${top}V${bottom}` }));
    let taken = -Infinity;
    for (const tick of [...scales[k].ticks].sort((a, b) => a.at - b.at)) {
      if (tick.at < taken + 12) continue;
      fitted(svg, { class: "halo", x: across(k) + 5, y: tick.at + 4 }, tick.text, apart - 14);
      taken = tick.at;
    }
    const anchor = "middle";
    wrapped(withUnit(axis)).forEach((line, n, all) => fitted(svg, { class: "title", x: across(k), y: 14 + 13 * (n + 3 - all.length) - 4, "text-anchor": anchor }, line, apart - 8));
    if (axis.sign < 0) svg.append(element("text", { x: across(k), y: height - 6, "text-anchor": anchor }, "less is better"));
    drawBrush(svg, k, across(k), top, bottom);
  });
  return lines.flatMap((l) => l.points.map((p) => ({ ...p, trial: l.t.trial, lines: () => describe(l.t.trial) })));
}

// a title on up to three lines of about fourteen characters; the last one has what is left, and may be longer
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

// a function that says whether a trial is within every chosen range
function chosenRanges() {
  const ranges = [...brushes].map(([k, span]) => [allAxes[k], uprightScale(allAxes[k], 0, 1), span]);
  return (t) => ranges.every(([axis, scale, [low, high]]) => {
    const at = heightOf(scale, axis.of(t));
    return at !== null && at >= low && at <= high;
  });
}

let parallel = {};
const slices = [];
const sliced = [ // what an objective is drawn over: the trials in their order, where the front itself is not, and each parameter
  ...(axes[0].order ? [] : [{ name: "trial", whole: true, of: (t) => t.trial }]),
  ...params.map((param, k) => ({ ...param, of: (t) => t.params[k] })),
];

function paintSlice(over) {
  return (svg, width, height) => {
    const j = Number(by("slice-axis").value);
    const [top, bottom] = [8, height - 42];
    const y = scaleOf({ ...axes[j], upright: true, values: trials.map((t) => t.values[j]) }, bottom, top);
    const box = { left: leftOf(y), right: width - 10, top, bottom };
    const known = inOrder.filter((t) => over.of(t) !== null && over.of(t) !== undefined);
    const x = scaleOf({ ...over, values: known.map(over.of) }, box.left, box.right);
    drawAxes(svg, box, x, y, over.whole ? `${over.name}, with the best so far` : over.name, withUnit(axes[j]));
    if (over.whole) svg.append(element("path", { class: "line member", d: bestSoFar(j, x, y) }));
    const spots = known.map((t) => spotOf(t, x.at(over.of(t)), y.at(t.values[j])));
    drawTrials(svg, spots, 4);
    return spots;
  };
}

// the best value of an objective up to each trial, as steps
function bestSoFar(j, x, y) {
  let best = -Infinity, path = "";
  for (const t of [...trials].sort((a, b) => a.trial - b.trial)) {
    best = Math.max(best, axes[j].sign * t.values[j]);
    path += `${path ? "H" : "M"}${x.at(t.trial).toFixed(1)}${path ? "V" : " "}${y.at(axes[j].sign * best).toFixed(1)}`;
  }
  return path;
}

function drawAnalysis() {
  if (!by("parallel") || trials.length < 2) return;
  parallel = new Frame(by("parallel"), 400, paintParallel, 108 * allAxes.length);
  const select = by("slice-axis");
  axes.forEach((axis, j) => { if (!axis.order) select.append(new Option(axisTitle(axis), j)); });
  sliced.forEach((over) => {
    const label = `${over.name} against the chosen objective; arrow keys step through the trials`;
    const place = tag("div", { class: "chart", tabindex: "0", role: "group", "aria-label": label });
    by("slices").append(place);
    slices.push(new Frame(place, 230, paintSlice(over)));
  });
  select.addEventListener("change", () => slices.forEach((slice) => slice.refresh()));
}
