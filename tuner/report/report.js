// Draws the charts of the report from the numbers in #data and lets the table of trials be sorted.
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const { axes, trials, picked } = data;
const onFront = trials.filter((t) => t.rank === 1);
const dominated = trials.filter((t) => t.rank > 1);
const chosen = trials.filter((t) => t.trial === picked);
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const goodness = (value, j) => value * axes[j].sign;
const title = (axis) => axis.name + (axis.unit ? ` [${axis.unit}]` : "") + (axis.sign > 0 ? "" : ", less is better");
const heading = (text) => ({ text, font: { size: 13, color: colour("--ink") } });
const config = { displaylogo: false, responsive: true, modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]] };

function layout(extra) {
  return {
    margin: { l: 62, r: 16, t: 36, b: 52 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: colour("--muted") },
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", itemclick: false, itemdoubleclick: false },
    hoverlabel: { bgcolor: colour("--card"), bordercolor: colour("--rule"), align: "left",
      font: { color: colour("--ink"), family: getComputedStyle(document.body).fontFamily, size: 13 } },
    hovermode: "closest",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--dim"), activecolor: colour("--ink") },
    ...extra,
  };
}

function axisStyle(extra) {
  return { gridcolor: colour("--rule"), zeroline: false, linecolor: colour("--rule"), ticks: "", automargin: true, ...extra };
}

// range with some air, running backwards where less is better, so that better is up and to the right
function range(j) {
  const values = trials.map((t) => t.values[j]);
  const low = Math.min(...values), high = Math.max(...values);
  const air = 0.07 * (high - low) || 1;
  return axes[j].sign > 0 ? [low - air, high + air] : [high + air, low - air];
}

function dots(name, group, i, j, marker, more = {}) {
  return {
    name, type: "scatter", mode: "markers", x: group.map((t) => t.values[i]), y: group.map((t) => t.values[j]),
    text: group.map((t) => t.text), customdata: group.map((t) => t.trial), hovertemplate: "%{text}<extra></extra>",
    marker, ...more,
  };
}

function spread(j) {
  return { type: "data", array: onFront.map((t) => t.spread[j]), visible: onFront.some((t) => t.spread[j] > 0),
    color: colour("--front"), thickness: 1, width: 3 };
}

// the boundary of what the front dominates, closed far outside of the picture
function staircase() {
  const steps = [...onFront].sort((a, b) => goodness(a.values[0], 0) - goodness(b.values[0], 0));
  const x = steps.map((t) => t.values[0]), y = steps.map((t) => t.values[1]);
  return {
    type: "scatter", mode: "lines", hoverinfo: "skip", showlegend: false, fill: "toself", fillcolor: colour("--front-wash"),
    x: [axes[0].worst, ...x, x.at(-1), axes[0].worst], y: [y[0], ...y, axes[1].worst, axes[1].worst],
    line: { shape: "vh", color: colour("--front"), width: 1.5 },
  };
}

function drawScatter() {
  const place = document.getElementById("scatter");
  const [i, j] = axes.length > 2 ? ["across", "up"].map((id) => Number(document.getElementById(id).value)) : [0, 1];
  const paper = colour("--paper");
  const traces = axes.length === 2 && !axes[0].order && onFront.length ? [staircase()] : [];
  traces.push(
    dots("dominated", dominated, i, j, { size: 8, color: colour("--dim") }),
    dots("on the front", onFront, i, j, { size: 11, color: colour("--front"), line: { color: paper, width: 1.5 } },
      { error_x: spread(i), error_y: spread(j) }),
    dots("picked", chosen, i, j, { size: 18, color: colour("--pick"), line: { color: paper, width: 2 } }),
  );
  Plotly.react(place, traces.filter((t) => t.mode === "lines" || t.x.length), layout({
    xaxis: axisStyle({ title: heading(title(axes[i])), range: range(i) }),
    yaxis: axisStyle({ title: heading(title(axes[j])), range: range(j) }),
    annotations: [{ text: axes[i].order ? "better ↑" : "better ↗", showarrow: false, xref: "paper", yref: "paper", x: 1, y: 1, xanchor: "right", yanchor: "top" }],
  }), config);
  listen(place);
}

// parallel coordinates as ordinary lines: one vertical axis an objective, the best value of all trials at the top
function drawParallel() {
  const place = document.getElementById("parallel");
  const ends = axes.map((axis, j) => {
    const values = trials.map((t) => t.values[j]).sort((a, b) => (a - b) * axis.sign);
    return [values[0], values.at(-1)];
  });
  const height = (t) => t.values.map((v, j) => (v - ends[j][0]) / (ends[j][1] - ends[j][0] || 1));
  const lines = (group, name, style, size, opacity) => group.map((t, k) => ({
    type: "scatter", mode: "lines+markers", name, legendgroup: name, showlegend: k === 0, opacity,
    x: axes.map((_, j) => j), y: height(t), text: axes.map(() => t.text), customdata: axes.map(() => t.trial),
    hovertemplate: "%{text}<extra></extra>", line: style, marker: { size, color: style.color },
  }));
  const traces = [
    ...lines(dominated, "dominated", { color: colour("--dim"), width: 1 }, 4, 0.7),
    ...lines(onFront, "on the front", { color: colour("--front"), width: 2 }, 6, 0.7),
    ...lines(chosen, "picked", { color: colour("--pick"), width: 4 }, 10, 1),
  ];
  const label = (x, y, text, more) => ({ x, y, text, showarrow: false, yanchor: y > 0 ? "bottom" : "top", ...more });
  const round = (value) => Number(value.toPrecision(3)).toString();
  Plotly.react(place, traces, layout({
    margin: { l: 16, r: 16, t: 36, b: 8 },
    xaxis: { visible: false, range: [-0.3, axes.length - 0.7] },
    yaxis: { visible: false, range: [-0.26, 1.12] },
    shapes: axes.map((_, j) => ({ type: "line", layer: "below", x0: j, x1: j, y0: 0, y1: 1, line: { color: colour("--rule"), width: 1 } })),
    annotations: axes.flatMap((axis, j) => [
      label(j, 1.04, round(ends[j][1])),
      label(j, -0.04, round(ends[j][0])),
      label(j, -0.13, title(axis), { font: { size: 13, color: colour("--ink") } }),
    ]),
  }), config);
  listen(place);
}

function drawHistory() {
  const place = document.getElementById("history");
  if (!place) return;
  const last = data.history.at(-1)[0];
  const [unit, name] = last > 7200 ? [3600, "hours"] : last > 180 ? [60, "minutes"] : [1, "seconds"];
  Plotly.react(place, [{
    type: "scatter", mode: "lines", x: data.history.map((h) => h[0] / unit), y: data.history.map((h) => h[1]),
    line: { shape: "hv", color: colour("--front"), width: 2 }, hovertemplate: `%{y:.3f} after %{x:.1f} ${name}<extra></extra>`,
  }], layout({
    margin: { l: 52, r: 8, t: 12, b: 48 },
    xaxis: axisStyle({ title: heading(`${name} since the start`), rangemode: "tozero" }),
    yaxis: axisStyle({ nticks: 6 }),
  }), { ...config, displayModeBar: false });
}

// a click on a dot shows the trial's row
function listen(place) {
  if (place.dataset.listens) return;
  place.dataset.listens = "yes";
  place.on("plotly_click", (event) => {
    const row = document.getElementById(`trial-${event.points[0].customdata}`);
    document.querySelectorAll("tr.found").forEach((other) => other.classList.remove("found"));
    row.classList.add("found");
    row.scrollIntoView({ block: "center", behavior: "smooth" });
  });
}

function sortBy(table, column, head) {
  const down = head.getAttribute("aria-sort") === "ascending";
  table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => row.cells[column].dataset.sort;
  const order = new Intl.Collator("en", { numeric: true });
  const compare = (a, b) => (Number.isNaN(a - b) ? order.compare(a, b) : a - b) * (down ? -1 : 1);
  const rows = [...table.tBodies[0].rows];
  rows.sort((a, b) => (key(a) === "") - (key(b) === "") || compare(key(a), key(b)));
  table.tBodies[0].append(...rows);
}

document.querySelectorAll("table.sortable thead th").forEach((head, column) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = head.textContent;
  button.addEventListener("click", () => sortBy(head.closest("table"), column, head));
  head.replaceChildren(button);
});

if (axes.length > 2) {
  ["across", "up"].forEach((id, k) => {
    const select = document.getElementById(id);
    // the names are escaped for plotly; an option wants them plain
    const plain = (text) => new DOMParser().parseFromString(text, "text/html").body.textContent;
    axes.forEach((axis, j) => select.append(new Option(plain(axis.name), j, j === k, j === k)));
    select.addEventListener("change", drawScatter);
  });
}

function draw() {
  if (trials.length) {
    if (axes.length > 2) drawParallel();
    drawScatter();
  }
  drawHistory();
}
draw();

// a sheet of paper is narrower than the screen
const paperWidth = { scatter: 680, parallel: 680, history: 330 };
function fit(widthOf) {
  document.querySelectorAll(".chart").forEach((place) => Plotly.relayout(place, widthOf(place.id)));
}
addEventListener("beforeprint", () => fit((id) => ({ width: paperWidth[id], autosize: false })));
addEventListener("afterprint", () => fit(() => ({ width: null, autosize: true })));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
