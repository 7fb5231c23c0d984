// The table of all trials: its columns by group, its filter, its order and its pages; and what is said of a trial.
"use strict";
const { groups, columns, rows: allRows } = data.table;
const PAGE = 100;
const placeInOrder = new Map(allRows.map((row, i) => [row, i])); // members first, better ones first
const rowOf = new Map(allRows.map((row) => [row.trial, row]));
const shownColumns = new Set(columns.flatMap((c, k) => (groups.find((g) => g.name === c.group).shown ? [k] : [])));
const view = { rows: allRows, page: 0, sort: null, down: false, told: "" };

const valueOf = (cell) => (Array.isArray(cell) ? cell[0] : cell);
const asideOf = (cell) => (Array.isArray(cell) ? cell[2] : "");
function textOf(column, cell) {
  const value = valueOf(cell);
  if (Array.isArray(cell) && cell[1] !== null) return cell[1];
  if (value === null || value === undefined) return "–";
  if (typeof value !== "number") return String(value);
  return column.digits === null ? short(value) : value.toFixed(column.digits);
}

// a trial's place among the complete ones, else how it ended
const placeOf = (row) => (row.standing === "–" ? row.outcome : /^\d+$/.test(row.standing) ? `rank ${row.standing}` : row.standing);

// what pointing at a trial says: objectives with their parts, parameters, and how its program ended
function describe(trial) {
  const row = rowOf.get(trial);
  const told = columns.flatMap((c, k) => {
    if (!["objectives", "parts of objectives", "parameters", "program"].includes(c.group) || valueOf(row.cells[k]) === null) return [];
    return [`${c.group === "parts of objectives" ? "\u2003" : ""}${c.heading} ${textOf(c, row.cells[k])} ${asideOf(row.cells[k])}`.trimEnd()];
  });
  return [`trial ${trial}, ${row.standing === "front" ? "on the front" : placeOf(row)}`, ...told];
}

const plainName = (text) => text.toLowerCase().replaceAll("_", " ").replace(/^n /, "").trim();
const FIXED = { trial: (row) => row.trial, place: placeOf, outcome: (row) => row.outcome };
const COMPARE = { ">=": (a, b) => a >= b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, "<": (a, b) => a < b };

// one condition of the filter as a function of a row; null where it names no column
function condition(term) {
  const parts = term.match(/^(.+?)\s*(>=|<=|!=|=|>|<)\s*(.*)$/);
  if (!parts) {
    const word = term.toLowerCase();
    return (row) => [placeOf(row), row.outcome, row.cause, `trial ${row.trial}`].some((t) => t.toLowerCase().includes(word));
  }
  const name = plainName(parts[1]), wanted = parts[3].trim(), number = Number(wanted);
  const k = columns.findIndex((c) => plainName(c.name) === name);
  const of = FIXED[name] || (k >= 0 ? (row) => valueOf(row.cells[k]) : null);
  if (!of) return null;
  const shown = k >= 0 ? (row) => textOf(columns[k], row.cells[k]) : of;
  const texts = (row) => [of(row), shown(row)].map((value) => String(value).toLowerCase());
  const same = (row) => of(row) !== null && (of(row) === number || texts(row).includes(wanted.toLowerCase()));
  if (parts[2] === "=") return same;
  if (parts[2] === "!=") return (row) => !same(row);
  return (row) => typeof of(row) === "number" && wanted !== "" && COMPARE[parts[2]](of(row), number);
}

// applies the filter and the ranges chosen in the parallel coordinates to the table and to every chart of trials
function refilter() {
  const terms = by("filter").value.split(",").map((term) => term.trim()).filter(Boolean);
  const conditions = terms.map(condition);
  const unknown = terms.filter((_, k) => conditions[k] === null);
  const point = new Map(trials.map((t) => [t.trial, t]));
  const chosen = chosenRanges();
  const within = (row) => !brushes.size || (point.has(row.trial) && chosen(point.get(row.trial)));
  view.rows = allRows.filter((row) => conditions.every((holds) => holds === null || holds(row)) && within(row));
  view.page = 0;
  const all = view.rows.length === allRows.length;
  passing = all ? null : new Set(view.rows.map((row) => row.trial));
  by("clear").hidden = all && !terms.length;
  const count = allRows.length === 1 ? "trial" : "trials";
  view.told = unknown.length
    ? `No column is called ${unknown[0].split(/[><=!]/)[0].trim()}. “Columns” below lists their names.`
    : `${all ? "All" : `${view.rows.length} of`} ${allRows.length} ${count}${brushes.size ? "; ranges chosen in the parallel coordinates count too" : ""}.`;
  fillTable();
  for (const frame of [front, parallel, ...slices]) frame.refresh?.();
}

function sortedRows() {
  if (view.sort === null) return view.rows;
  const key = { trial: FIXED.trial, place: (row) => placeInOrder.get(row) }[view.sort] || ((row) => valueOf(row.cells[view.sort]));
  return sorted(view.rows, key, view.down);
}

// by number or by text, what is missing last
function sorted(rows, key, down) {
  const order = new Intl.Collator("en", { numeric: true });
  const missing = (value) => value === null || value === undefined || value === "" || value === "–";
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : order.compare(a, b)) * (down ? -1 : 1);
  return [...rows].sort((a, b) => missing(key(a)) - missing(key(b)) || (missing(key(a)) ? 0 : compare(key(a), key(b))));
}

function headCell(text, id, number) {
  const button = tag("button", { type: "button" }, text);
  const head = tag("th", { scope: "col", ...(number ? { class: "num" } : {}) }, button);
  if (view.sort === id) head.setAttribute("aria-sort", view.down ? "descending" : "ascending");
  button.addEventListener("click", () => {
    [view.down, view.sort, view.page] = [view.sort === id && !view.down, id, 0];
    fillTable();
    by("all-trials").querySelector("th[aria-sort] button").focus();
  });
  return head;
}

function bodyRow(row) {
  const place = tag("td", { class: "outcome" }, tag("i", { class: `dot ${/^[a-z]+$/.test(row.outcome) ? row.outcome : ""}` }), placeOf(row));
  if (row.cause) place.append(tag("small", {}, row.cause));
  const cells = columns.flatMap((c, k) => {
    if (!shownColumns.has(k)) return [];
    const kind = `${c.number ? "num" : ""}${c.group === "objectives" ? " objective" : ""}${valueOf(row.cells[k]) === null ? " missing" : ""}`;
    const cell = tag("td", { class: kind }, textOf(c, row.cells[k]));
    if (asideOf(row.cells[k])) cell.append(tag("small", {}, asideOf(row.cells[k])));
    return [cell];
  });
  const kind = row.standing === "picked" ? "picked" : row.standing === "front" ? "member" : "";
  return tag("tr", { id: `trial-${row.trial}`, class: kind, tabindex: "-1" }, tag("th", { scope: "row", class: "num" }, String(row.trial)), place, ...cells);
}

function fillTable() {
  const shown = columns.map((c, k) => ({ ...c, k })).filter((c) => shownColumns.has(c.k));
  const names = groups.map((g) => [g.name, shown.filter((c) => c.group === g.name).length]).filter(([, n]) => n);
  const heads = [headCell("trial", "trial", true), headCell("place", "place", false)];
  const table = by("all-trials");
  table.tHead.replaceChildren(
    tag("tr", { class: "groups" }, tag("td", { colspan: 2 }), ...names.map(([name, n]) => tag("th", { scope: "colgroup", colspan: n }, name))),
    tag("tr", {}, ...heads, ...shown.map((c) => headCell(c.heading, c.k, c.number))),
  );
  const rows = sortedRows(), pages = Math.max(1, Math.ceil(rows.length / PAGE));
  view.page = Math.min(view.page, pages - 1);
  table.tBodies[0].replaceChildren(...rows.slice(view.page * PAGE, (view.page + 1) * PAGE).map(bodyRow));
  by("pages").hidden = pages < 2;
  by("page").textContent = `page ${view.page + 1} of ${pages}`;
  const first = view.page * PAGE + 1, last = Math.min(rows.length, first + PAGE - 1);
  by("told").textContent = view.told + (pages > 1 ? ` Rows ${first} to ${last} are shown.` : "");
  by("previous").disabled = view.page === 0;
  by("next").disabled = view.page === pages - 1;
}

// the row of a trial, whatever filter and page are in its way
function showTrial(trial) {
  if (!rowOf.has(trial)) return;
  if (!view.rows.some((row) => row.trial === trial)) clearFilter();
  view.page = Math.floor(sortedRows().findIndex((row) => row.trial === trial) / PAGE);
  fillTable();
  const row = by(`trial-${trial}`);
  row.classList.add("found");
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "center", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
}

function clearFilter() {
  by("filter").value = "";
  brushes.clear();
  refilter();
}

// the rows that pass, in their order, with all columns; a text that a spreadsheet would take for a formula is marked as text
function asCsv() {
  const cell = (value) => {
    if (typeof value === "number") return String(value);
    const text = String(value ?? "").replace(/^(?=[=+\-@\t\r])/, "'");
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const heads = ["trial", "place", "outcome", "cause", ...columns.map((c) => c.heading)];
  const lines = sortedRows().map((row) => [row.trial, placeOf(row), row.outcome, row.cause, ...row.cells.map(valueOf)]);
  return [heads, ...lines].map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
}

function saveCsv() {
  const address = URL.createObjectURL(new Blob(["\ufeff", asCsv()], { type: "text/csv" }));
  tag("a", { href: address, download: "trials.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function drawChooser() {
  const tick = (checked, text, change) => {
    const box = tag("input", { type: "checkbox" });
    box.checked = checked;
    box.addEventListener("change", () => { change(box.checked); fillTable(); });
    return tag("label", {}, box, ` ${text}`);
  };
  const put = (k, on) => (on ? shownColumns.add(k) : shownColumns.delete(k));
  for (const group of groups) {
    const of = columns.flatMap((c, k) => (c.group === group.name ? [k] : []));
    const each = of.map((k) => tick(shownColumns.has(k), columns[k].heading, (on) => put(k, on)));
    const all = tick(group.shown, `all of ${group.name}`, (on) => of.forEach((k, n) => { put(k, on); each[n].firstChild.checked = on; }));
    by("chooser").append(tag("fieldset", {}, tag("legend", {}, group.name), all, ...each));
  }
}
