// The parts of every chart: SVG elements, scales, axes, and a frame that draws when it is seen, and answers to
// pointer and keyboard. Colours are classes of report.css, so nothing is drawn again where the reader's theme changes.
"use strict";

function element(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

function tag(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const short = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value));

// multiples of 1, 2 or 5 times a power of ten, about `target` of them
function linearTicks(low, high, target) {
  const rough = (high - low) / target;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= 0.8 * rough);
  const first = Math.ceil(low / step - 1e-9), last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function logTicks(low, high) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const m of [1, 2, 5]) found.push(Number((m * 10 ** power).toPrecision(6)));
  }
  const inside = found.filter((tick) => tick >= low && tick <= high);
  return inside.length > 5 ? inside.filter((tick) => Number.isInteger(Math.round(1e6 * Math.log10(tick)) / 1e6)) : inside;
}

// a scale from values to pixels; `axis` has values, and sign (-1: runs backwards), log, choices, ticks, whole or a span
function scaleOf(axis, start, end) {
  if (axis.choices) {
    const step = (end - start) / Math.max(axis.choices.length, 1);
    const at = (value) => start + step * (axis.choices.indexOf(String(value)) + 0.5);
    return { at, back: null, ticks: axis.choices.map((c) => ({ at: at(c), text: c, choice: true })) };
  }
  const known = axis.values.filter((v) => typeof v === "number" && Number.isFinite(v));
  const bend = axis.log ? Math.log10 : (v) => v;
  let [low, high] = axis.span || [Math.min(...known), Math.max(...known)];
  if (!known.length && !axis.span) [low, high] = [0, 1];
  let [from, to] = [bend(low), bend(high)];
  if (!axis.span) {
    const air = 0.06 * (to - from) || Math.abs(0.05 * from) || 1;
    [from, to] = [from - (axis.zero ? 0 : air), to + air];
  }
  const [one, other] = axis.sign < 0 ? [end, start] : [start, end];
  const at = (value) => one + ((bend(value) - from) / (to - from)) * (other - one);
  const unbend = axis.log ? (v) => 10 ** v : (v) => v;
  const back = (pixel) => unbend(from + ((pixel - one) / (other - one)) * (to - from));
  const target = Math.max(2, Math.min(7, Math.abs(end - start) / (axis.upright ? 44 : 74)));
  const marks = axis.ticks || (axis.log ? logTicks(unbend(from), unbend(to)) : linearTicks(from, to, target));
  const shown = marks.filter((tick) => !axis.whole || Number.isInteger(tick));
  return { at, back, low: unbend(from), high: unbend(to), ticks: shown.map((tick) => ({ at: at(tick), text: short(tick) })) };
}

// a text that is put into a picture, cut where it is wider than `width`; then pointing at it tells the whole
function fitted(svg, attributes, text, width) {
  const node = element("text", attributes, text);
  svg.append(node);
  const long = node.getComputedTextLength(), letters = [...text];
  if (long <= width) return node;
  let kept = Math.floor((letters.length * width) / long);
  do node.textContent = `${letters.slice(0, kept).join("").trimEnd()}…`;
  while (node.getComputedTextLength() > width && --kept > 0);
  node.append(element("title", {}, text));
  return node;
}

// where a plot begins: right of its title and of the longest tick text
const leftOf = (y) => Math.max(58, 30 + 7.2 * Math.max(0, ...y.ticks.map((tick) => tick.text.length)));

// grid, tick texts and titles of a plot with two scales; a tick whose text would touch the one before has none
function drawAxes(svg, box, x, y, titleX, titleY) {
  const middle = (box.left + box.right) / 2, centre = (box.top + box.bottom) / 2;
  const apart = x.ticks.length > 1 ? (box.right - box.left) / x.ticks.length : box.right - box.left;
  let taken = -Infinity;
  for (const tick of [...x.ticks].sort((a, b) => a.at - b.at)) {
    svg.append(element("path", { class: "grid", d: `M${tick.at} ${box.top}V${box.bottom}` }));
    const text = fitted(svg, { x: tick.at, y: box.bottom + 18, "text-anchor": "middle" }, tick.text, tick.choice ? apart - 6 : Infinity);
    const half = text.getComputedTextLength() / 2;
    if (tick.at - half < taken + 6) text.remove();
    else taken = tick.at + half;
  }
  taken = -Infinity;
  for (const tick of [...y.ticks].sort((a, b) => a.at - b.at)) {
    svg.append(element("path", { class: "grid", d: `M${box.left} ${tick.at}H${box.right}` }));
    if (tick.at < taken + 12) continue;
    svg.append(element("text", { x: box.left - 8, y: tick.at + 4, "text-anchor": "end" }, tick.text));
    taken = tick.at;
  }
  if (titleX) fitted(svg, { class: "title", x: middle, y: box.bottom + 38, "text-anchor": "middle" }, titleX, box.right - box.left + 20);
  if (titleY) {
    const turned = { class: "title", transform: "rotate(-90)", x: -centre, y: 13, "text-anchor": "middle" };
    fitted(svg, turned, titleY, box.bottom - box.top + 20);
  }
}

// many dots as one element, which a thousand trials need
const dotsPath = (spots) => spots.map((s) => `M${s.x.toFixed(1)} ${s.y.toFixed(1)}h.01`).join("");
const linePath = (points) => points.map((p, i) => `${i ? "L" : "M"}${p.x.toFixed(1)} ${p.y.toFixed(1)}`).join("");

// the places of a text around a spot, the nearest first; further out it is joined to its spot by a line
function placesAround(x, y, wide) {
  const box = (left, base, far) => ({ left, right: left + wide, top: base - 9, bottom: base + 2, far });
  const near = [[9, -8], [-9 - wide, -8], [9, 16], [-9 - wide, 16], [-wide / 2, -13], [-wide / 2, 23]];
  const found = near.map(([dx, dy]) => box(x + dx, y + dy, false));
  for (const radius of [26, 38, 52, 68, 86]) {
    for (let k = 0; k < 16; k++) {
      const across = x + radius * Math.cos((Math.PI * (k - 2)) / 8), down = y + radius * Math.sin((Math.PI * (k - 2)) / 8);
      found.push(box(across < x ? across - wide : across, down + 4, true));
    }
  }
  return found;
}

// a text beside each spot, in the first place that no other text or spot takes; returns how many had no room
function placeLabels(svg, labels, box) {
  const taken = labels.map((l) => ({ left: l.x - 6, right: l.x + 6, top: l.y - 6, bottom: l.y + 6 }));
  const inside = (p) => p.left >= box.left && p.right <= box.right && p.top >= box.top && p.bottom <= box.bottom;
  const free = (p) => !taken.some((t) => p.left < t.right && p.right > t.left && p.top < t.bottom && p.bottom > t.top);
  let without = 0;
  const lines = element("path", { class: "leader" });
  svg.append(lines);
  let joined = "";
  for (const label of labels) {
    const place = placesAround(label.x, label.y, 7.4 * label.text.length).find((p) => inside(p) && free(p));
    without += place ? 0 : 1;
    if (!place) continue;
    taken.push(place);
    const middle = (place.top + place.bottom) / 2;
    if (place.far) joined += `M${label.x} ${label.y}L${place.left > label.x ? place.left - 2 : place.right + 2} ${middle}`;
    svg.append(element("text", { class: `label ${label.kind}`, x: place.left, y: place.bottom - 2 }, label.text));
  }
  lines.setAttribute("d", joined);
  return without;
}

// texts in a column beside their heights, pushed apart so that none covers another
function stackLabels(svg, labels, x, top, bottom, widest = Infinity) {
  const sorted = [...labels].sort((a, b) => a.y - b.y);
  let floor = top;
  for (const label of sorted) {
    label.shown = Math.max(label.y, floor);
    floor = label.shown + 13;
  }
  let ceiling = bottom;
  for (const label of sorted.reverse()) {
    label.shown = Math.min(label.shown, ceiling);
    ceiling = label.shown - 13;
    fitted(svg, { class: `label ${label.kind}`, x, y: label.shown + 4 }, label.text, widest);
  }
}

const tip = document.getElementById("tip");

function showTip(lines, left, top) {
  tip.replaceChildren(...lines.map((line, i) => tag(i ? "div" : "b", {}, line)));
  tip.hidden = false;
  const width = tip.offsetWidth, height = tip.offsetHeight;
  tip.style.left = `${Math.max(8, left + 16 + width > innerWidth ? left - 16 - width : left + 16)}px`;
  tip.style.top = `${Math.max(8, Math.min(top + 12, innerHeight - height - 8))}px`;
}

const hideTip = () => { tip.hidden = true; };
const frames = [];

// A chart within `place`. `paint(svg, width, height)` draws it and returns its spots: {x, y, lines(), trial}.
class Frame {
  constructor(place, height, paint, least = 0) {
    Object.assign(this, { place, height, paint, least, spots: [], at: -1, seen: false, near: false, stale: false });
    this.svg = element("svg", { "aria-hidden": "true", focusable: "false" });
    this.live = tag("span", { class: "unseen", "aria-live": "polite" });
    place.append(this.svg, this.live);
    frames.push(this);
    new IntersectionObserver((found) => this.approach(found.at(-1).isIntersecting), { rootMargin: "300px" }).observe(place);
    new ResizeObserver(() => this.seen && this.width() !== this.drawn && this.draw()).observe(place);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerdown", (event) => { this.touched = event.pointerType !== "mouse"; });
    this.svg.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.leave());
    this.svg.addEventListener("click", (event) => this.click(event));
    place.addEventListener("keydown", (event) => this.key(event));
    place.addEventListener("blur", () => this.leave());
  }

  width() { return Math.max(this.place.clientWidth, this.least); }

  show() { if (!this.seen || this.stale) { this.seen = true; this.draw(); } }

  approach(near) {
    this.near = near;
    if (near) this.show();
  }

  // draws again what has changed: before the next picture of the screen, or once it comes near
  refresh() {
    this.stale = true;
    requestAnimationFrame(() => this.near && this.show());
  }

  draw() {
    if (!this.seen || !this.place.clientWidth) return;
    this.stale = false;
    const width = this.drawn = this.width();
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.svg.style.cssText = `height: ${this.height}px; width: ${width}px`;
    this.svg.replaceChildren();
    const chosen = this.spots[this.at]?.trial;
    this.spots = this.paint(this.svg, width, this.height) || [];
    this.at = chosen === undefined ? -1 : this.spots.findIndex((spot) => spot.trial === chosen);
    this.ring = element("circle", { class: "ring", r: 10, visibility: "hidden" });
    this.svg.append(this.ring);
    if (this.at >= 0) this.mark(this.spots[this.at]);
  }

  mark(spot) {
    this.ring.setAttribute("cx", spot.x);
    this.ring.setAttribute("cy", spot.y);
    this.ring.setAttribute("visibility", "visible");
  }

  point(event) {
    if (this.dragging || (event.type === "pointermove" && event.pointerType !== "mouse")) return;
    const box = this.svg.getBoundingClientRect();
    const x = event.clientX - box.left, y = event.clientY - box.top;
    let best = -1, least = 28 ** 2;
    this.spots.forEach((spot, i) => {
      const away = (spot.x - x) ** 2 + (spot.y - y) ** 2;
      if (away < least) [best, least] = [i, away];
    });
    if (best < 0) this.leave();
    else this.choose(best, event.clientX, event.clientY);
  }

  choose(i, left, top) {
    const spot = this.spots[this.at = i];
    const lines = spot.lines();
    this.mark(spot);
    showTip(lines, left, top);
    return lines;
  }

  leave() {
    this.at = -1;
    if (this.ring) this.ring.setAttribute("visibility", "hidden");
    hideTip();
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter") return this.go();
    if (event.key === "Escape") return this.leave();
    if (this.near) this.show();
    if (!step || event.target !== this.place || !this.spots.length) return undefined;
    event.preventDefault();
    const i = this.at < 0 && step < 0 ? this.spots.length - 1 : (this.at + step + this.spots.length) % this.spots.length;
    const box = this.svg.getBoundingClientRect();
    this.live.textContent = this.choose(i, box.left + this.spots[i].x, box.top + this.spots[i].y).join(", ");
    return undefined;
  }

  // a finger points with its first tap, and goes with a second one at the same place
  click(event) {
    const before = this.at;
    if (this.touched) this.point(event);
    if (!this.touched || this.at === before) this.go();
  }

  go() {
    const trial = this.spots[this.at]?.trial;
    if (trial !== undefined && !this.dragged) showTrial(trial);
  }
}

addEventListener("beforeprint", () => frames.forEach((frame) => frame.show()));
addEventListener("scroll", hideTip, { passive: true });
document.addEventListener("pointerdown", (event) => event.target.closest(".chart") || hideTip());
