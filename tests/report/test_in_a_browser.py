"""The report in a real browser: no complaint, links that lead somewhere, filter and keyboard, and axe finds nothing."""

import asyncio
import dataclasses
import json
from pathlib import Path

import pytest

from tuner.front.confirmation import ErrorBars
from tuner.report.search_page import TrialRow, render_report

from . import axe, browser
from .sample import sample_report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine's PATH"),
]
NASTY = "<img src=x onerror=alert(1)>'\"&"


def page(folder: Path) -> Path:
    """Three objectives, error bars, and outcomes, causes and parameters that nobody has heard of."""
    report = sample_report(3)
    rows = [
        dataclasses.replace(row, bars=ErrorBars(4, {}, {"accuracy": 0.8}, {"accuracy": 0.4}, 0.97), cause=NASTY)
        for row in report.rows
    ]
    odd = TrialRow(99, "unheard of", {"n_features": None, "l1": NASTY}, {}, None, NASTY)
    file = folder / "report.html"
    file.write_text(render_report(dataclasses.replace(report, rows=[*rows, odd])), encoding="utf-8")
    return file


def test_the_report_in_a_browser(tmp_path: Path) -> None:
    checker = axe.script()
    asyncio.run(look(page(tmp_path), checker))
    if checker is None:
        pytest.skip("all else is well, but axe-core is not here and npm cannot fetch it: accessibility is not checked")


async def look(file: Path, checker: str | None) -> None:
    async with browser.tab() as tab:
        await tab.open(file)
        await tab.run("frames.forEach((frame) => frame.show())")
        assert await tab.run("document.querySelectorAll('.chart svg').length") == await tab.run("frames.length") > 8
        assert await tab.run("document.querySelectorAll('img[src=x]').length") == 0
        await links(tab)
        await filters(tab)
        await keys(tab)
        await curves(tab)
        await checked(tab, checker, "desktop")
        await tab.open(file, width=390, height=800)
        await tab.run("frames.forEach((frame) => frame.show())")
        assert await tab.run("document.documentElement.scrollWidth") <= 390
        await checked(tab, checker, "phone")
        assert tab.complaints == []


async def links(tab: browser.Tab) -> None:
    """Each link within the page has its target; one to a trial shows its row, whatever the filter hides."""
    broken = (
        "[...document.querySelectorAll('a[href^=\"#\"]')].map((a) => a.hash).filter((h) => !document.querySelector(h))"
    )
    assert await tab.run(broken) == []
    await tab.run("by('filter').value = 'failed'; refilter()")
    await tab.run("document.querySelector('tr[data-trial] a').click()")
    found = await tab.run("[location.hash, '#' + document.activeElement.id, by('filter').value]")
    assert found[0] == found[1]
    assert found[2] == ""


async def filters(tab: browser.Tab) -> None:
    """A filter leaves the rows that it names, in the table and in the charts, and says how many."""
    rows = "document.querySelectorAll('#all-trials tbody tr').length"
    n = await tab.run(rows)
    await tab.run("by('filter').value = 'accuracy >= 78, n_features = 40'; refilter()")
    wanted = sum(row.values.get("accuracy", 0) >= 78 and row.params["n_features"] == 40 for row in sample_report().rows)
    assert await tab.run(rows) == wanted
    assert await tab.run("by('told').textContent") == f"{wanted} of 37 trials."
    assert await tab.run("passing.size") == wanted
    await tab.run("by('filter').value = 'colour > 3'; refilter()")
    assert "No column is called colour." in await tab.run("by('told').textContent")
    await tab.run("by('clear').click()")
    assert await tab.run(rows) == n == 37
    shown = "document.querySelectorAll('#all-trials thead tr:last-child th').length"
    before = await tab.run(shown)
    await tab.run("[...by('chooser').querySelectorAll('legend')].at(-1).nextSibling.firstChild.click()")  # all of time
    assert await tab.run(shown) == before - 2


async def keys(tab: browser.Tab) -> None:
    """Arrow keys step through the dots and say them; Enter leads to the row."""
    await tab.run("by('scatter').focus()")
    await tab.press("ArrowRight")
    said = await tab.run("by('scatter').querySelector('[aria-live]').textContent")
    assert said.startswith("trial ")
    assert "accuracy" in said
    await tab.press("Enter")
    assert await tab.run("document.activeElement.id") == said.split(",")[0].replace(" ", "-")


async def curves(tab: browser.Tab) -> None:
    """One trial's training beside its validation; of a pruned one up to its rung; and the numbers."""

    async def chosen(trial: int) -> list[str]:
        await tab.run(f"by('curves-of').value = {trial}; by('curves-of').dispatchEvent(new Event('change'))")
        return await tab.run("[...by('curves').querySelectorAll('div:not([hidden]) > h3')].map((h) => h.textContent)")

    titles = ["dense: loss", "dense: accuracy", "finetune: loss", "finetune: accuracy"]
    assert await chosen(1) == titles
    chart = "by('curves').querySelector('.chart')"
    kinds = f"[...{chart}.querySelectorAll('path.curve')].map((p) => p.getAttribute('class'))"
    assert await tab.run(kinds) == ["line curve training", "line curve validation"]
    assert await tab.run(f"{chart}.querySelectorAll('circle.validation').length") == 6  # where it was measured
    assert "training and validation" in await tab.run(f"{chart}.getAttribute('aria-label')")
    await tab.run(f"{chart}.focus()")
    await tab.press("ArrowRight")
    await tab.press("ArrowRight")
    said = await tab.run(f"{chart}.querySelector('[aria-live]').textContent")
    assert said == "trial 1, epoch 1, loss 1.804, validation, 288 images"
    numbers = "by('curves-numbers').querySelectorAll('tbody tr')"
    assert await tab.run(f"{numbers}.length") == 24
    assert await tab.run(f"[...{numbers}[3].cells].map((c) => c.textContent)") == ["4", "0.8692", "", "67", ""]
    assert await tab.run("by('curves-without').textContent") == ""
    assert (await chosen(2)) == titles
    assert await tab.run(kinds) == ["line curve training"]
    assert "dense and finetune: no validation curve." in await tab.run("by('curves-without').textContent")
    stopped = "stopped at its rung, epoch 3 of 10"
    assert (await chosen(11))[2:] == [f"finetune: loss, {stopped}", f"finetune: accuracy, {stopped}"]
    assert await tab.run("by('curves-of').selectedOptions[0].text") == "trial 11, pruned"


async def checked(tab: browser.Tab, checker: str | None, where: str) -> None:
    """axe-core finds nothing, in light and in dark, with everything unfolded."""
    if checker is None:
        return
    await tab.run("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    await tab.run(f"{checker}; undefined")
    for theme in ("light", "dark"):
        await tab.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        found = await tab.run(
            f"axe.run(document, {axe.RULES}).then((r) => JSON.stringify(r.violations.map((v) => "
            "[v.id, v.help, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160))])))"
        )
        assert json.loads(found) == [], f"{where}, {theme}"
