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
    return { at, back: null, ticks: axis.choices.map((c) => ({ at: at(c), text: c })) };
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

// grid, tick texts and titles of a plot with two scales
function drawAxes(svg, box, x, y, titleX, titleY) {
  const middle = (box.left + box.right) / 2, centre = (box.top + box.bottom) / 2;
  for (const tick of x.ticks) {
    svg.append(element("path", { class: "grid", d: `M${tick.at} ${box.top}V${box.bottom}` }));
    svg.append(element("text", { x: tick.at, y: box.bottom + 18, "text-anchor": "middle" }, tick.text));
  }
  for (const tick of y.ticks) {
    svg.append(element("path", { class: "grid", d: `M${box.left} ${tick.at}H${box.right}` }));
    svg.append(element("text", { x: box.left - 8, y: tick.at + 4, "text-anchor": "end" }, tick.text));
  }
  if (titleX) svg.append(element("text", { class: "title", x: middle, y: box.bottom + 38, "text-anchor": "middle" }, titleX));
  if (titleY) {
    const turned = { class: "title", transform: "rotate(-90)", x: -centre, y: 13, "text-anchor": "middle" };
    svg.append(element("text", turned, titleY));
  }
}

// many dots as one element, which a thousand trials need
const dotsPath = (spots) => spots.map((s) => `M${s.x.toFixed(1)} ${s.y.toFixed(1)}h.01`).join("");
const linePath = (points) => points.map((p, i) => `${i ? "L" : "M"}${p.x.toFixed(1)} ${p.y.toFixed(1)}`).join("");

// a text beside each spot where there is room: the first of four places that no other text or spot takes
function placeLabels(svg, labels, box) {
  const taken = labels.map((l) => ({ left: l.x - 6, right: l.x + 6, top: l.y - 6, bottom: l.y + 6 }));
  const crowded = labels.length > 40;
  for (const label of labels) {
    const wide = 7.2 * label.text.length;
    const places = [[9, -8], [-9 - wide, -8], [9, 16], [-9 - wide, 16], [-wide / 2, -13], [-wide / 2, 23]].map(([dx, dy]) => ({
      left: label.x + dx, right: label.x + dx + wide, top: label.y + dy - 9, bottom: label.y + dy + 2 }));
    const inside = (p) => p.left >= box.left && p.right <= box.right && p.top >= box.top && p.bottom <= box.bottom;
    const free = (p) => !taken.some((t) => p.left < t.right && p.right > t.left && p.top < t.bottom && p.bottom > t.top);
    const place = places.find((p) => inside(p) && free(p)) || (crowded ? null : places.find(inside) || places[0]);
    if (!place) continue;
    taken.push(place);
    svg.append(element("text", { class: `label ${label.kind}`, x: place.left, y: place.bottom - 2 }, label.text));
  }
}

// texts in a column beside their heights, pushed apart so that none covers another
function stackLabels(svg, labels, x, top, bottom) {
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
    svg.append(element("text", { class: `label ${label.kind}`, x, y: label.shown + 4 }, label.text));
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
    Object.assign(this, { place, height, paint, least, spots: [], at: -1, seen: false });
    this.svg = element("svg", { "aria-hidden": "true", focusable: "false" });
    this.live = tag("span", { class: "unseen", "aria-live": "polite" });
    place.append(this.svg, this.live);
    frames.push(this);
    new IntersectionObserver((found) => found.some((f) => f.isIntersecting) && this.show(), { rootMargin: "300px" }).observe(place);
    new ResizeObserver(() => this.seen && this.width() !== this.drawn && this.draw()).observe(place);
    this.svg.addEventListener("pointermove", (event) => this.point(event));
    this.svg.addEventListener("pointerleave", () => this.leave());
    this.svg.addEventListener("click", () => this.go());
    place.addEventListener("keydown", (event) => this.key(event));
    place.addEventListener("blur", () => this.leave());
  }

  width() { return Math.max(this.place.clientWidth, this.least); }

  show() { if (!this.seen) { this.seen = true; this.draw(); } }

  draw() {
    if (!this.seen || !this.place.clientWidth) return;
    const width = this.drawn = this.width();
    this.svg.setAttribute("viewBox", `0 0 ${width} ${this.height}`);
    this.svg.style.cssText = `height: ${this.height}px; width: ${width}px`;
    this.svg.replaceChildren();
    this.spots = this.paint(this.svg, width, this.height) || [];
    this.ring = element("circle", { class: "ring", r: 10, visibility: "hidden" });
    this.svg.append(this.ring);
    this.at = -1;
  }

  point(event) {
    if (this.dragging) return;
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
    this.ring.setAttribute("cx", spot.x);
    this.ring.setAttribute("cy", spot.y);
    this.ring.setAttribute("visibility", "visible");
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
    if (!step || event.target !== this.place || !this.spots.length) return undefined;
    event.preventDefault();
    const i = this.at < 0 && step < 0 ? this.spots.length - 1 : (this.at + step + this.spots.length) % this.spots.length;
    const box = this.svg.getBoundingClientRect();
    this.live.textContent = this.choose(i, box.left + this.spots[i].x, box.top + this.spots[i].y).join(", ");
    return undefined;
  }

  go() {
    const trial = this.spots[this.at]?.trial;
    if (trial !== undefined && !this.dragged) showTrial(trial);
  }
}

addEventListener("beforeprint", () => frames.forEach((frame) => frame.show()));
addEventListener("scroll", hideTip, { passive: true });
