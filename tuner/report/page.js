// Puts the page together once everything is defined: charts, tables, links to trials.
"use strict";

// a table that stands in the page itself is sorted by a click on a heading
function makeSortable(table) {
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, k) => {
    const button = tag("button", { type: "button" }, head.textContent);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const text = row.cells[k].dataset.sort;
        return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
      };
      table.tBodies[0].append(...sorted([...table.tBodies[0].rows], key, down));
    });
    head.replaceChildren(button);
  });
}

function followTrial(address) {
  const found = address.match(/^#trial-(\d+)$/);
  if (found) showTrial(Number(found[1]));
}

function start() {
  document.querySelectorAll("table.sortable").forEach(makeSortable);
  drawChooser();
  fillTable();
  drawFront();
  drawAnalysis();
  drawCurves();
  drawCourse();
  refilter();
  by("filter").addEventListener("input", refilter);
  by("clear").addEventListener("click", clearFilter);
  by("save").addEventListener("click", saveCsv);
  by("previous").addEventListener("click", () => { view.page--; fillTable(); });
  by("next").addEventListener("click", () => { view.page++; fillTable(); });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#trial-']");
    if (!link) return;
    event.preventDefault();
    history.replaceState(null, "", link.hash);
    followTrial(link.hash);
  });
  addEventListener("hashchange", () => followTrial(location.hash));
  addEventListener("keydown", (event) => event.key === "Escape" && hideTip());
  followTrial(location.hash);
}
start();
