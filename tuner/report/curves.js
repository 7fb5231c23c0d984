// Learning curves: training beside validation of one trial, or the training of all members; and their numbers.
"use strict";
const rankOf = new Map(trials.map((t) => [t.trial, t]));
const kindOfNumber = (trial) => (rankOf.has(trial) ? kindOf(rankOf.get(trial)) : "dim");
const namesOf = (members) => (members.length > 2 ? `${members.length} trials` : members.join(", "));
const kindOfCurve = (curve) => (curve.trials.includes(picked) ? "picked" : kindOfNumber(curve.trials[0]));
const unitOfCurve = (value) => (value === "accuracy" ? " %" : "");
const ALL = "all";

// the points of a column that were measured
function measured(curve, column) {
  return (curve.columns[column] || []).map((v, n) => ({ e: curve.columns.epoch[n], v })).filter((p) => p.v !== null);
}

// a trial's value on all validation images after the stage that gives its model; none for a stage before
const afterwards = (curve, value) => (value === "accuracy" && curve.tuned ? curve.trials.filter((t) => t in data.held_out).map((trial) => ({ trial, v: data.held_out[trial] })) : []);

// one panel: a value over the epochs of a stage. `lines` are {curve, column, kind, name, told}
function paintCurves(lines, value) {
  return (svg, width, height) => {
    const box = { left: 50, right: width - 84, top: 10, bottom: height - 44 };
    const curves = [...new Set(lines.map((line) => line.curve))];
    const held = curves.flatMap((curve) => afterwards(curve, value).map((h) => ({ ...h, e: curve.columns.epoch.at(-1) })));
    const drawn = lines.map((line) => ({ ...line, values: measured(line.curve, line.column) })).filter((line) => line.values.length);
    const every = drawn.flatMap((line) => line.values.map((p) => p.v));
    const x = scaleOf({ values: curves.flatMap((c) => c.columns.epoch), whole: true, zero: true }, box.left, box.right);
    const y = scaleOf({ values: [...every, ...held.map((h) => h.v)], upright: true }, box.bottom, box.top);
    drawAxes(svg, box, x, y, "epoch", value === "accuracy" ? "accuracy [%]" : value);
    const ends = [], spots = [];
    for (const { curve, column, kind, name, told, values } of drawn) {
      const points = values.map((p) => ({ x: x.at(p.e), y: y.at(p.v), ...p }));
      svg.append(element("path", { class: `line curve ${kind}`, d: linePath(points) }));
      if (column.startsWith("val_") || points.length < 2) svg.append(...points.map((p) => element("circle", { class: `curve ${kind}`, cx: p.x, cy: p.y, r: 3 })));
      ends.push({ y: points.at(-1).y, text: name, kind });
      spots.push(...points.map((p) => ({ ...p, trial: curve.trials[0], lines: () => [`trial ${curve.trials.join(", ")}`, `epoch ${p.e}`, `${value} ${short(p.v)}${unitOfCurve(value)}, ${told}`] })));
    }
    for (const { trial, e, v } of held) {
      const spot = { x: x.at(e), y: y.at(v) };
      svg.append(element("circle", { class: `held ${kindOfNumber(trial)}`, cx: spot.x, cy: spot.y, r: 4.5 }));
      spots.push({ ...spot, trial, lines: () => [`trial ${trial}`, `accuracy ${short(v)} %, all validation images, at its end`] });
    }
    stackLabels(svg, ends, box.right + 8, box.top, box.bottom);
    return spots.sort((a, b) => a.x - b.x);
  };
}

const isDrawn = (trial) => trial === picked || rankOf.get(trial)?.rank === 1;
const membersWith = (stage) => data.curves.filter((c) => c.stage === stage && c.columns.epoch.length > 1 && c.trials.some(isDrawn));
const curveOf = (trial, stage) => data.curves.find((c) => c.stage === stage && c.trials.includes(Number(trial)));

// what a panel shows of one trial, or of all members
function linesOf(chosen, stage, value) {
  if (chosen === ALL) {
    return membersWith(stage).map((curve) => ({ curve, column: value, kind: kindOfCurve(curve), name: namesOf(curve.trials.filter(isDrawn)), told: "training" }));
  }
  const curve = curveOf(chosen, stage);
  if (!curve || !(value in curve.columns)) return [];
  const counts = measured(curve, "val_n_images");
  const images = counts.length ? `validation, ${counts.at(-1).v} images` : "validation";
  return [
    { curve, column: value, kind: "training", name: "training", told: "training" },
    { curve, column: `val_${value}`, kind: "validation", name: "validation", told: images },
  ];
}

// the numbers of one trial's curves, a table for each stage
function numbersOf(chosen, stages) {
  const names = { epoch: "epoch", loss: "loss, training", val_loss: "loss, validation", accuracy: "accuracy %, training", val_accuracy: "accuracy %, validation" };
  return stages.filter((stage) => chosen !== ALL && curveOf(chosen, stage)).map((stage) => {
    const columns = curveOf(chosen, stage).columns;
    const there = Object.keys(names).filter((name) => name in columns);
    const head = tag("tr", {}, ...there.map((name) => tag("th", { scope: "col", class: "num" }, names[name])));
    const rows = columns.epoch.map((_, n) => tag("tr", {}, ...there.map((name, k) => tag(k ? "td" : "th", k ? { class: "num" } : { class: "num", scope: "row" }, columns[name][n] === null ? "" : short(columns[name][n])))));
    const table = tag("table", {}, tag("caption", { class: "unseen" }, `${stage}, by epoch`), tag("thead", {}, head), tag("tbody", {}, ...rows));
    return tag("div", {}, tag("h3", { class: "small" }, stage), tag("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": `${stage}, by epoch` }, table));
  });
}

function titleOf(chosen, stage, value) {
  const stopped = chosen !== ALL && curveOf(chosen, stage)?.of;
  return `${stage}: ${value}${stopped ? `, stopped at its rung, epoch ${curveOf(chosen, stage).columns.epoch.at(-1)} of ${stopped}` : ""}`;
}

function nameOfTrial(trial) {
  if (trial === picked) return `trial ${trial}, picked`;
  return rankOf.get(trial)?.rank === 1 ? `trial ${trial}, on the front` : curveOf(trial, "finetune")?.of ? `trial ${trial}, pruned` : `trial ${trial}`;
}

function drawCurves() {
  const place = by("curves");
  if (!place) return;
  const stages = [...new Set(data.curves.map((c) => c.stage))];
  const numbers = [...new Set(data.curves.flatMap((c) => c.trials))];
  const menu = by("curves-of");
  const first = numbers.includes(picked) ? picked : numbers[0];
  menu.append(...[...numbers].sort((a, b) => a - b).map((t) => new Option(nameOfTrial(t), t, t === first, t === first)));
  if (stages.some((stage) => membersWith(stage).length > 1)) menu.append(new Option("all members, training alone", ALL));
  const panels = stages.flatMap((stage) => ["loss", "accuracy"].map((value) => {
    const chart = tag("div", { class: "chart", tabindex: "0", role: "group" });
    const title = tag("h3", { class: "small" });
    const panel = tag("div", {}, title, chart);
    place.append(panel);
    const frame = new Frame(chart, 260, (svg, width, height) => paintCurves(linesOf(menu.value, stage, value), value)(svg, width, height));
    return { stage, value, chart, title, panel, frame };
  }));
  const show = () => {
    for (const { stage, value, chart, title, panel, frame } of panels) {
      const lines = linesOf(menu.value, stage, value).filter((line) => measured(line.curve, line.column).length);
      panel.hidden = !lines.length;
      title.textContent = titleOf(menu.value, stage, value);
      chart.setAttribute("aria-label", `${value} over the epochs of ${stage}: ${lines.map((line) => line.name).join(" and ")}; arrow keys step through the values`);
      frame.draw();
    }
    const unmeasured = menu.value === ALL ? [] : stages.filter((stage) => curveOf(menu.value, stage) && !measured(curveOf(menu.value, stage), "val_loss").length);
    by("curves-without").textContent = unmeasured.length ? `${unmeasured.join(" and ")}: no validation curve. Trainings of earlier versions and under protocol=paper have none.` : "";
    by("curves-numbers").replaceChildren(...numbersOf(menu.value, stages));
    by("curves-numbers").parentNode.hidden = menu.value === ALL;
  };
  menu.addEventListener("change", show);
  show();
}
