"""The printed link in a real browser, from a real MLflow server: which clicks lead to what, on desktop and phone."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cluster import mlflow
from tests.report import browser
from tests.tracking.ledgers import ledger
from tuner.tracking import Mirror
from tuner.tracking.marks import DOMINATED, MEMBER

pytestmark = [
    pytest.mark.long,
    pytest.mark.cluster,
    pytest.mark.timeout(900),
    pytest.mark.skipif(browser.find() is None, reason="no Chromium on this machine's PATH"),
]
PATIENCE_S = 180  # MLflow's page loads megabytes of scripts
MOST_CLICKS = 2
TEXT = "document.body.innerText"
CHARTS = "[...document.querySelectorAll('.js-plotly-plot')]"
# What is drawn of the trials in a scatter: colour and values of each point.
POINTS = f"""{CHARTS}.flatMap((chart) => chart.data || []).filter((trace) => trace.mode === 'markers' && trace.x)
    .map((trace) => [JSON.stringify(trace.marker.color), trace.x.length])"""


@pytest.fixture
def link(tmp_path: Path, make_mirror: Callable[..., Mirror]) -> Iterator[str]:
    """The link that a search prints: of three trials, one of which is dominated."""
    server = mlflow.start(tmp_path / "server")
    told: list[str] = []
    events = ledger(3)
    next(e for e in events if e["event"] == "outcome" and e["trial"] == 1)["values"] = {
        "accuracy": 60.0, "plausibility": 10.0
    }  # fmt: skip
    mirror = make_mirror(server.url, on_open=told.append)
    mirror.replay(events)
    mirror.close(PATIENCE_S)
    assert mirror.warning is None
    yield told[0]
    mlflow.stop(tmp_path / "server")


def test_the_printed_link_leads_to_charts_and_table(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "STARTS_S", 120.0)
    asyncio.run(look(link))


async def look(link: str) -> None:
    async with browser.tab() as tab:
        await visit(tab, link, width=1440)
        clicks = 0
        points = await until(tab, f"{POINTS}.length >= 3 ? {POINTS} : null")
        colours = json.dumps(points).lower()
        assert clicks <= MOST_CLICKS, "accuracy against plausibility"
        assert MEMBER in colours, "the front is not told from the rest"
        assert DOMINATED in colours
        shown = await tab.run(TEXT)
        assert "accuracy vs. plausibility" in shown
        assert "Traces 0" not in shown, "the empty overview"

        await click(tab, "input[type=radio][value=TABLE]")
        clicks += 1
        header = await until(tab, "[...document.querySelectorAll('.ag-header-cell-text')].map((e) => e.innerText)")
        assert clicks <= MOST_CLICKS
        assert [name for name in header if name in ("accuracy", "plausibility", "program/gap")][:1] == ["accuracy"]

        await visit(tab, link, width=390)
        await until(tab, f"{POINTS}.length >= 3 || null")
        assert await tab.run("document.documentElement.scrollWidth") <= 390
        ours = [told for told in tab.complaints if "AG Grid" not in told and "404" not in told and "Resize" not in told]
        assert ours == []


async def visit(tab: browser.Tab, url: str, width: int) -> None:
    await tab.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                   mobile=width < 600)  # fmt: skip
    await tab.call("Page.navigate", url="about:blank")
    await tab.call("Page.navigate", url=url)


async def until(tab: browser.Tab, script: str) -> object:
    """The value of an expression, once there is one."""
    for _ in range(PATIENCE_S):
        try:
            if found := await tab.run(script):
                return found
        except AssertionError:  # the page is being exchanged
            pass
        await asyncio.sleep(1)
    raise TimeoutError(f"{script}\n{await tab.run(TEXT)}")


async def click(tab: browser.Tab, selector: str) -> None:
    """Click the first element of a kind, once it is there."""
    await until(tab, f"document.querySelector({selector!r}) ? 1 : null")
    await tab.run(f"document.querySelector({selector!r}).click()")
