// What happened in time: hypervolume, and the stages of the trials on a timeline.
"use strict";
const unitOf = (seconds) => (seconds > 7200 ? [3600, "hours"] : seconds > 180 ? [60, "minutes"] : [1, "seconds"]);

// over search time, over complete trials, or over what had been spent by then
function paintHistory(svg, width, height) {
  const over = by("history-over").value, overTrials = over === "trials";
  const [unit, name] = unitOf(data.history.at(-1)[0]);
  const cost = data.costs.find((c) => c.name === over);
  const points = data.history.map(([s, v], n) => ({ at: cost ? cost.values[n] : overTrials ? n + 1 : s / unit, v: 100 * v }));
  const box = { left: 58, right: width - 14, top: 12, bottom: height - 48 };
  const x = scaleOf({ values: [0, ...points.map((p) => p.at)], zero: true, whole: overTrials }, box.left, box.right);
  const nothing = points.every((p) => p.v === 0) ? { span: [0, 1] } : {};
  const y = scaleOf({ values: points.map((p) => p.v), upright: true, ...nothing }, box.bottom, box.top);
  const title = cost ? `${cost.name} spent` : overTrials ? "complete trials" : `${name} of search time`;
  drawAxes(svg, box, x, y, title, "hypervolume [%]");
  const path = points.reduce((d, p) => `${d}${d ? "H" : "M"}${x.at(p.at).toFixed(1)}${d ? "V" : " "}${y.at(p.v).toFixed(1)}`, "");
  svg.append(element("path", { class: "line member", d: path }));
  const spent = (n) => data.costs.map((c) => `${short(c.values[n])} ${c.name}`);
  const trialsAt = (n) => `after ${n + 1} complete ${n ? "trials" : "trial"}`;
  return points.map((p, n) => ({ x: x.at(p.at), y: y.at(p.v), lines: () => [`hypervolume ${p.v.toFixed(1)} %`, trialsAt(n), `${short(data.history[n][0] / unit)} ${name}`, ...spent(n)] }));
}

// trials side by side in as few rows as they need: each in the first row that is free when it begins
function lanesOf(spans) {
  const free = [];
  return [...spans].sort((a, b) => a[1] - b[1]).map(([trial, start, parts]) => {
    const end = start + parts.reduce((sum, [, waited, ran]) => sum + waited + ran, 0);
    let lane = free.findIndex((until) => until <= start + 0.5);
    if (lane < 0) lane = free.push(0) - 1;
    free[lane] = end;
    return { trial, start, end, parts, lane };
  });
}

const lanes = lanesOf(data.spans);
const laneCount = Math.max(0, ...lanes.map((l) => l.lane + 1));
const laneHeight = Math.max(7, Math.min(26, 320 / Math.max(1, laneCount)));

function paintTimeline(svg, width, height) {
  const last = Math.max(...lanes.map((l) => l.end));
  const [unit, name] = unitOf(last);
  const box = { left: 12, right: width - 14, top: 8, bottom: height - 48 };
  const x = scaleOf({ values: [0, last / unit], zero: true }, box.left, box.right);
  drawAxes(svg, box, x, { ticks: [] }, `${name} of search time`, "");
  const spots = [];
  const paths = data.stages.map(() => "");
  let waits = "";
  for (const { trial, start, end, parts, lane } of lanes) {
    const top = box.top + lane * laneHeight, tall = laneHeight - 2;
    let at = start;
    const bar = (seconds, high) => {
      const [left, right] = [x.at(at / unit), x.at((at += seconds) / unit)];
      return `M${left.toFixed(1)} ${top + (tall - high) / 2}H${Math.max(right, left + 0.7).toFixed(1)}v${high}H${left.toFixed(1)}z`;
    };
    for (const [stage, waited, ran, reused] of parts) {
      if (waited) waits += bar(waited, Math.max(2, tall / 4));
      if (!reused) paths[stage] += bar(ran, tall);
    }
    const told = parts.map(([stage, waited, ran, reused]) => `${data.stages[stage]} ${reused ? "reused" : `ran ${short(ran)} s`}${waited >= 0.05 ? `, waited ${short(waited)} s` : ""}`);
    spots.push({ x: (x.at(start / unit) + x.at(end / unit)) / 2, y: top + tall / 2, trial, lines: () => [`trial ${trial}`, ...told] });
  }
  svg.append(element("path", { class: "part waits", d: waits }));
  paths.forEach((d, stage) => svg.append(element("path", { class: `part stage${stage % 6}`, d })));
  return spots;
}

function drawCourse() {
  if (by("history")) {
    const history = new Frame(by("history"), 300, paintHistory);
    by("history-over").addEventListener("change", () => history.draw());
  }
  if (by("timeline") && lanes.length) new Frame(by("timeline"), 60 + laneCount * laneHeight, paintTimeline);
}
