"""Reports of odd searches in a real browser: texts stay apart and within the page; fingers, no scripts, paper, CSV."""

import asyncio
import dataclasses
import json
from pathlib import Path

import pytest

from tuner.front.pareto import Objective
from tuner.report.search_page import BaselineRow, Report, TrialRow, render_report

from . import browser
from .sample import sample_report, sample_rows

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine's PATH"),
]
STRANGE = ("ab" * 150, "<img src=x onerror=alert(1)>'\"&", "\u202eשלום עולם", '=1+2, "x"\nÜnïcödé 名前🦜')
SHOW = "frames.forEach((frame) => frame.show())"
# pairs of texts of a chart that cover each other by more than a pixel
COVERED = """((place) => {
  const boxes = [...by(place).querySelectorAll('.label:not(.baseline)')].map((t) => [t.textContent, t.getBBox()]);
  const meets = (p, q) => p.x + 1 < q.x + q.width && q.x + 1 < p.x + p.width
    && p.y + 4 < q.y + q.height && q.y + 4 < p.y + p.height;
  return boxes.flatMap(([a, p], i) => boxes.slice(i + 1).filter(([, q]) => meets(p, q)).map(([b]) => [a, b]));
})"""
# texts of charts that reach out of them
CUT = """frames.flatMap((f) => [...f.svg.querySelectorAll('text')].filter((t) => {
  const b = t.getBoundingClientRect(), s = f.svg.getBoundingClientRect();
  return b.left < s.left - 2 || b.right > s.right + 2;
}).map((t) => t.textContent))"""
FIRST_DOT = """(() => {
  const b = front.svg.getBoundingClientRect(), s = front.spots[0];
  return [b.left + s.x, b.top + s.y, s.trial];
})()"""
VISIBLE = "((s) => [...document.querySelectorAll(s)].filter((e) => e.getClientRects().length).length)"
FULL_AXES = "![...by('scatter').querySelectorAll('text[text-anchor=end]')].some((t) => t.textContent.includes('…'))"
PLACED = "slices.every((f) => f.spots.length && f.spots.every((s) => Number.isFinite(s.x + s.y)))"


def written(folder: Path, report: Report) -> Path:
    file = folder / "report.html"
    file.write_text(render_report(report), encoding="utf-8")
    return file


def crowded() -> Report:
    """Members that lie close together, as after a long search."""
    report = sample_report()
    rows = [
        dataclasses.replace(
            r, values=r.values | {"accuracy": 80 + 0.01 * i, "interpretability": 80 - 0.01 * (i % 9) * i}
        )
        for i, r in enumerate(row for row in report.rows if row.outcome == "complete")
    ]
    return dataclasses.replace(report, rows=rows, pick=None)


def strange() -> Report:
    """Nine objectives of great length; parameters, causes and baselines with names that nobody would choose."""
    objectives = [
        Objective(f"a_metric_whose_name_is_of_a_great_length_number_{i}", "max" if i % 2 else "min", 0, 1e6, f"unit{i}")
        for i in range(9)
    ]
    rows = [
        dataclasses.replace(
            row,
            params=row.params | {"flag": row.trial % 2 == 0, "text": STRANGE[row.trial % 4]},
            values={o.name: 10.0 ** (i - 4) * (row.trial + i) for i, o in enumerate(objectives)} if row.values else {},
            cause=row.cause and STRANGE[row.trial % 4],
        )
        for row in sample_rows()
    ]
    baselines = [BaselineRow(text, {objectives[0].name: 0.002, objectives[1].name: 1e5}, text) for text in STRANGE]
    made = dataclasses.replace(sample_report(), search=STRANGE[3], objectives=objectives, rows=rows, pick=None)
    return dataclasses.replace(made, baselines=baselines, importance=[])


def test_labels_of_members_never_cover_each_other(tmp_path: Path) -> None:
    asyncio.run(apart(written(tmp_path, crowded())))


async def apart(file: Path) -> None:
    async with browser.tab() as tab:
        for width in (1280, 390):
            await tab.open(file, width=width)
            await tab.run(SHOW)
            assert await tab.run(f"{COVERED}('scatter')") == []
            labels = await tab.run("by('scatter').querySelectorAll('.label:not(.baseline)').length")
            members = await tab.run("trials.filter((t) => t.rank === 1).length")
            without = await tab.run("by('beyond').textContent")
            assert labels == members or f"{members - labels} of {members} members have no room" in without
            assert "interpretability 58.4 %" in without
        assert tab.complaints == []


@pytest.mark.parametrize("width", [1280, 390])
def test_strange_names_stay_within_the_page(tmp_path: Path, width: int) -> None:
    asyncio.run(within(written(tmp_path, strange()), width))


async def within(file: Path, width: int) -> None:
    async with browser.tab() as tab:
        await tab.open(file, width=width)
        await tab.run(SHOW)
        assert await tab.run("document.documentElement.scrollWidth") <= width
        assert await tab.run("document.querySelectorAll('img[src=x]').length") == 0
        assert await tab.run(CUT) == []
        assert await tab.run(FULL_AXES), "a number of an axis is cut"
        assert await tab.run(PLACED)
        assert tab.complaints == []


def test_a_finger_reads_a_dot_and_follows_it(tmp_path: Path) -> None:
    asyncio.run(tapped(written(tmp_path, sample_report())))


async def tapped(file: Path) -> None:
    async with browser.tab() as tab:
        await tab.call("Emulation.setTouchEmulationEnabled", enabled=True)
        await tab.open(file, width=390)
        await tab.run(f"{SHOW}; by('scatter').scrollIntoView()")
        x, y, trial = await tab.run(FIRST_DOT)
        for shown in (False, True):
            await tab.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
            await tab.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
            assert shown or (await tab.run("by('tip').textContent")).startswith(f"trial {trial}")
            assert await tab.run(f"document.activeElement.id === 'trial-{trial}'") == shown
        assert tab.complaints == []


def test_without_scripts_and_on_paper(tmp_path: Path) -> None:
    asyncio.run(still(written(tmp_path, sample_report(3))))


async def still(file: Path) -> None:
    async with browser.tab() as tab:
        await tab.call("Emulation.setScriptExecutionDisabled", value=True)
        await tab.open(file)
        assert "Scripts are off" in await tab.run("document.body.innerText")
        assert await tab.run(f"{VISIBLE}('svg.front')") == 1
        for hidden in ("#filter", "select", ".chart", "table:not(:has(td))", "a[href='#training']"):
            assert await tab.run(f'{VISIBLE}("{hidden}")') == 0, hidden
        await tab.call("Emulation.setScriptExecutionDisabled", value=False)
        await tab.open(file)
        await tab.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
        await tab.call("Emulation.setEmulatedMedia", media="print")
        for hidden in ("#filter", "nav a", ".by-mouse"):
            assert await tab.run(f"{VISIBLE}('{hidden}')") == 0, hidden
        assert await tab.run("[...document.images].every((i) => i.complete && i.naturalWidth > 0)")


def test_rows_are_saved_as_csv(tmp_path: Path) -> None:
    report = sample_report()
    odd = TrialRow(99, "failed", {"n_features": None, "l1": STRANGE[3]}, {}, None, STRANGE[3])
    asyncio.run(saved(written(tmp_path, dataclasses.replace(report, rows=[*report.rows, odd])), report))


async def saved(file: Path, report: Report) -> None:
    async with browser.tab() as tab:
        await tab.open(file)
        await tab.run("by('filter').value = 'n_features = 40, complete'; refilter()")
        heads, *lines = json.loads(await tab.run("JSON.stringify(asCsv().trimEnd().split('\\r\\n'))"))
        assert heads.startswith("trial,place,outcome,cause,accuracy [%],interpretability [%],")
        wanted = {row.trial for row in report.rows if row.outcome == "complete" and row.params["n_features"] == 40}
        assert {int(line.split(",")[0]) for line in lines} == wanted
        await tab.run("by('filter').value = 'failed'; refilter()")
        quoted = '"\'=1+2, ""x""\nÜnïcödé 名前🦜"'
        assert f"99,failed,failed,{quoted}," in await tab.run("asCsv()")
        assert tab.complaints == []
