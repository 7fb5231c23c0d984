// The charts of the report: the front, parameters against objectives, learning curves, and the course of the search.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const { axes, trials, picked, params } = data;
const by = (id) => document.getElementById(id);
const withUnit = (axis) => axis.name + (axis.unit ? ` [${axis.unit}]` : "");
const axisTitle = (axis) => withUnit(axis) + (axis.order ? "" : axis.sign > 0 ? ", more is better" : ", less is better");
const kindOf = (t) => (t.trial === picked ? "picked" : t.rank === 1 ? "member" : "dim");
const inOrder = [...trials].sort((a, b) => a.rank - b.rank || a.trial - b.trial);
let passing = null; // the trials that pass the filter; null: all of them
const passes = (t) => passing === null || passing.has(t.trial);

// dots of trials in three kinds that differ in shape and colour; those that the filter holds back are faint
function drawTrials(svg, spots, radius) {
  const dim = spots.filter((s) => s.kind === "dim");
  svg.append(element("path", { class: "dots faint", d: dotsPath(spots.filter((s) => !s.passes)), "stroke-width": radius }));
  svg.append(element("path", { class: "dots dim", d: dotsPath(dim.filter((s) => s.passes)), "stroke-width": 1.5 * radius }));
  for (const spot of spots.filter((s) => s.kind !== "dim" && s.passes)) {
    const r = spot.kind === "picked" ? radius * 1.5 : radius;
    svg.append(spot.kind === "picked"
      ? element("path", { class: "picked", d: `M${spot.x - r} ${spot.y}L${spot.x} ${spot.y - r}L${spot.x + r} ${spot.y}L${spot.x} ${spot.y + r}Z` })
      : element("circle", { class: "member", cx: spot.x, cy: spot.y, r }));
  }
}

const spotOf = (t, x, y) => ({ x, y, trial: t.trial, kind: kindOf(t), passes: passes(t), lines: () => describe(t.trial) });
const inBox = (s, box) => s.x >= box.left - 1 && s.x <= box.right + 1 && s.y >= box.top - 1 && s.y <= box.bottom + 1;

const zoom = { span: null };
const chosenAxes = () => (axes.length > 2 ? ["across", "up"].map((id) => Number(by(id).value)) : [0, 1]);
const chosenBaselines = () => data.baselines.filter((_, k) => by(`baseline-${k}`)?.checked);

// the span of an axis: that of the trials and of the members' error bars, widened for baselines that are no further away
// than the trials are apart
function frontAxis(j, k) {
  const values = trials.map((t) => t.values[j]);
  const low = Math.min(...values), high = Math.max(...values), room = high - low || 1;
  const near = chosenBaselines().map((b) => b.values[j]).filter((v) => v !== null && v >= low - room && v <= high + room);
  const ends = trials.filter((t) => t.rank === 1).flatMap((t) => [t.values[j] - t.spread[j], t.values[j] + t.spread[j]]);
  return { ...axes[j], values: [...values, ...ends, ...near], whole: axes[j].order, upright: k === 1, span: zoom.span?.[k] };
}

function paintFront(svg, width, height) {
  const [i, j] = chosenAxes();
  const [top, bottom] = [26, height - 48];
  const y = scaleOf(frontAxis(j, 1), bottom, top);
  const box = { left: leftOf(y), right: width - 14, top, bottom };
  const x = scaleOf(frontAxis(i, 0), box.left, box.right);
  Object.assign(front, { x, y, box });
  drawAxes(svg, box, x, y, axisTitle(axes[i]), axisTitle(axes[j]));
  svg.append(element("text", { x: box.right, y: 14, "text-anchor": "end" }, axes[i].order ? "better ↑" : "better ↗"));
  const spots = inOrder.map((t) => ({ ...spotOf(t, x.at(t.values[i]), y.at(t.values[j])), t })).filter((s) => inBox(s, box));
  const members = spots.filter((s) => s.kind !== "dim" && (s.t.rank === 1 || s.kind === "picked"));
  const outside = drawBaselines(svg, box, [x, y], [i, j]);
  if (axes.length === 2 && !axes[0].order) drawStairs(svg, box, x, y);
  for (const s of members.filter((m) => m.passes)) {
    const [across, up] = [s.t.spread[i], s.t.spread[j]];
    const clip = (v, low, high) => Math.max(low, Math.min(high, v));
    const [left, right] = [-across, across].map((e) => clip(x.at(s.t.values[i] + e), box.left, box.right));
    const [low, high] = [-up, up].map((e) => clip(y.at(s.t.values[j] + e), box.top, box.bottom));
    svg.append(element("path", { class: "error", d: `${across ? `M${left} ${s.y}H${right}` : ""}${up ? `M${s.x} ${low}V${high}` : ""}` }));
  }
  drawTrials(svg, spots, 5.5);
  const named = members.filter((m) => m.passes).sort((a, b) => (b.kind === "picked") - (a.kind === "picked"));
  const without = placeLabels(svg, named.map((m) => ({ ...m, text: m.kind === "picked" ? `${m.trial} picked` : `${m.trial}` })), box);
  const beyond = outside.length ? [`Outside of the picture: ${outside.join("; ")}.`] : [];
  if (without) beyond.push(`${without} of ${named.length} members have no room for their number: point at them${zoom.span ? "" : ", or look closer"}.`);
  by("beyond").textContent = beyond.join(" ");
  return spots;
}

// the boundary of what the front dominates, out to the worse edges, over a wash of all that lies within
function drawStairs(svg, box, x, y) {
  const corners = trials.filter((t) => t.rank === 1).map((t) => ({ x: x.at(t.values[0]), y: y.at(t.values[1]) })).sort((a, b) => a.x - b.x);
  const clip = (v, low, high) => Math.max(low, Math.min(high, v)).toFixed(1);
  const across = (v) => clip(v, box.left, box.right), up = (v) => clip(v, box.top, box.bottom);
  if (!corners.length) return;
  const line = corners.reduce((path, c) => `${path}V${up(c.y)}H${across(c.x)}`, `M${box.left} ${up(corners[0].y)}`) + `V${box.bottom}`;
  svg.append(element("path", { class: "wash", d: `${line}H${box.left}Z` }), element("path", { class: "stairs", d: line }));
}

// a dashed line where a baseline is on each axis, named at its end; returns those that are outside of the picture
function drawBaselines(svg, box, scales, which) {
  const levels = [], outside = [];
  const widest = (box.right - box.left) / 2;
  chosenBaselines().forEach((baseline, k) => {
    const beyond = [];
    which.forEach((axis, side) => {
      const value = baseline.values[axis];
      if (value === null) return;
      const at = scales[side].at(value), [low, high] = side ? [box.top, box.bottom] : [box.left, box.right];
      if (at < low - 1 || at > high + 1) {
        beyond.push(`${axes[axis].name} ${short(value)}${axes[axis].unit ? ` ${axes[axis].unit}` : ""}`);
        return;
      }
      svg.append(element("path", { class: "baseline", d: side ? `M${box.left} ${at}H${box.right}` : `M${at} ${box.top}V${box.bottom}` }));
      if (side) levels.push({ y: at - 9, text: baseline.name, kind: "baseline" });
      else {
        const right = at > (low + high) / 2;
        fitted(svg, { class: "label baseline", "text-anchor": right ? "end" : "start", x: at + (right ? -4 : 4), y: box.bottom - 8 - 14 * (k % 6) }, baseline.name, widest);
      }
    });
    if (beyond.length) outside.push(`${baseline.name} with ${beyond.join(" and ")}`);
  });
  stackLabels(svg, levels, box.left + 6, box.top + 2, box.bottom - 8, widest);
  return outside;
}

// a rectangle drawn with the mouse is looked at more closely
function listenForZoom(frame) {
  let from = null, shade = null;
  const spot = (event) => {
    const at = frame.svg.getBoundingClientRect();
    return [event.clientX - at.left, event.clientY - at.top];
  };
  frame.svg.addEventListener("pointerdown", (event) => {
    frame.dragged = false;
    if (event.pointerType !== "mouse" || event.button) return;
    from = spot(event);
    frame.svg.setPointerCapture(event.pointerId);
  });
  frame.svg.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [x, y] = spot(event);
    frame.dragging ||= Math.hypot(x - from[0], y - from[1]) > 8;
    if (!frame.dragging) return;
    shade?.remove();
    shade = element("rect", { class: "shade", x: Math.min(x, from[0]), y: Math.min(y, from[1]), width: Math.abs(x - from[0]), height: Math.abs(y - from[1]) });
    frame.svg.append(shade);
    hideTip();
  });
  frame.svg.addEventListener("pointerup", (event) => {
    const [x, y] = spot(event);
    if (frame.dragging && Math.abs(x - from[0]) > 8 && Math.abs(y - from[1]) > 8) {
      const sorted = (a, b) => (a < b ? [a, b] : [b, a]);
      setZoom([sorted(front.x.back(x), front.x.back(from[0])), sorted(front.y.back(y), front.y.back(from[1]))]);
    }
    shade?.remove();
    [frame.dragged, frame.dragging, from, shade] = [frame.dragging, false, null, null];
  });
}

function setZoom(span) {
  zoom.span = span;
  by("unzoom").hidden = span === null;
  front.draw();
}

let front = {};
function drawFront() {
  const place = by("scatter");
  if (!trials.length) return;
  front = new Frame(place, innerWidth < 760 ? 400 : 520, paintFront);
  listenForZoom(front);
  by("unzoom").addEventListener("click", () => setZoom(null));
  ["across", "up"].forEach((id, k) => {
    if (axes.length <= 2) return;
    by(id).append(...axes.map((axis, j) => new Option(axis.name, j, j === k, j === k)));
    by(id).addEventListener("change", () => setZoom(null));
  });
  const boxes = data.baselines.map((baseline, k) => {
    const box = tag("input", { type: "checkbox", id: `baseline-${k}` });
    box.checked = k < 4;
    box.addEventListener("change", () => front.draw());
    return tag("label", {}, box, ` ${baseline.name}`);
  });
  by("baseline-boxes")?.append(...boxes);
}
