// What happened in time: learning curves, hypervolume, and the stages of the trials on a timeline.
"use strict";
const unitOf = (seconds) => (seconds > 7200 ? [3600, "hours"] : seconds > 180 ? [60, "minutes"] : [1, "seconds"]);
const rankOf = new Map(trials.map((t) => [t.trial, t]));
const kindOfNumber = (trial) => (rankOf.has(trial) ? kindOf(rankOf.get(trial)) : "dim");
const namesOf = (curve) => (curve.trials.length > 2 ? `${curve.trials.length} trials` : curve.trials.join(", "));
const kindOfCurve = (curve) => (curve.trials.includes(picked) ? "picked" : kindOfNumber(curve.trials[0]));

// one panel: a value over the epochs of one stage, a line for each trial, named at its end
function paintCurves(curves, value) {
  const suffix = value === "accuracy" ? " [%]" : "";
  return (svg, width, height) => {
    const box = { left: 50, right: width - 54, top: 10, bottom: height - 44 };
    const tested = value === "accuracy" && curves[0].stage === data.stages.filter((s) => data.curves.some((c) => c.stage === s)).at(-1);
    const held = tested ? curves.flatMap((curve) => curve.trials.map((trial) => ({ curve, trial, v: data.held_out[trial] }))).filter((h) => h.v !== undefined) : [];
    const every = curves.flatMap((c) => c.columns[value]);
    const x = scaleOf({ values: curves.flatMap((c) => c.columns.epoch), whole: true, zero: true }, box.left, box.right);
    const y = scaleOf({ values: [...every, ...held.map((h) => h.v)], upright: true }, box.bottom, box.top);
    drawAxes(svg, box, x, y, "epoch", value + suffix);
    const ends = [], spots = [];
    for (const curve of curves) {
      const kind = kindOfCurve(curve), named = namesOf(curve);
      const points = curve.columns.epoch.map((e, n) => ({ x: x.at(e), y: y.at(curve.columns[value][n]), e, v: curve.columns[value][n] }));
      svg.append(element("path", { class: `line curve ${kind}`, d: linePath(points) }));
      ends.push({ y: points.at(-1).y, text: named, kind });
      spots.push(...points.map((p) => ({ ...p, trial: curve.trials[0], lines: () => [`trial ${curve.trials.join(", ")}`, `epoch ${p.e}`, `${value} ${short(p.v)}${suffix}, training`] })));
    }
    for (const { curve, trial, v } of held) {
      const spot = { x: x.at(curve.columns.epoch.at(-1)), y: y.at(v) };
      svg.append(element("circle", { class: `held ${kindOfNumber(trial)}`, cx: spot.x, cy: spot.y, r: 4 }));
      spots.push({ ...spot, trial, lines: () => [`trial ${trial}`, `accuracy ${short(v)} %, held out, after training`] });
    }
    stackLabels(svg, ends, box.right + 8, box.top, box.bottom);
    return spots;
  };
}

function drawCurves() {
  const place = by("curves");
  if (!place) return;
  const stages = [...new Set(data.curves.map((c) => c.stage))];
  for (const stage of stages) {
    const of = data.curves.filter((c) => c.stage === stage && c.columns.epoch.length > 1);
    for (const value of ["loss", "accuracy"].filter((v) => of.length && of.every((c) => v in c.columns))) {
      const label = `${value} over the epochs of ${stage}, a line for each member; arrow keys step through the values`;
      const chart = tag("div", { class: "chart", tabindex: "0", role: "group", "aria-label": label });
      place.append(tag("div", {}, tag("h3", { class: "small" }, `${stage}: ${value}`), chart));
      new Frame(chart, 260, paintCurves(of, value));
    }
  }
}

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
