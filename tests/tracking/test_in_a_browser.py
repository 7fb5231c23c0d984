"""The printed link in a real browser, from a real MLflow server: which clicks lead to what, on desktop and phone."""

import asyncio
import json
import time
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
PATIENCE_S = 300  # MLflow's page loads megabytes of scripts
MOST_CLICKS = 2
TEXT = "(document.body || {innerText: ''}).innerText"
DRAWN = "document.querySelectorAll('.js-plotly-plot .main-svg').length"


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
        shown = await seen(tab, "accuracy vs. plausibility", "trial-0001")
        assert await until(tab, DRAWN), "no picture"
        assert MEMBER in shown, "the front is not told from the rest"
        assert DOMINATED in shown
        assert "Detect Issues" not in shown, "MLflow's overview, where there is nothing of a search"
        assert clicks <= MOST_CLICKS

        await click(tab, "input[type=radio][value=TABLE]")
        clicks += 1
        shown = await seen(tab, "Duration", "plausibility")
        columns = shown.partition("Duration")[2].split("\n")
        places = [columns.index(name) for name in ("accuracy", "plausibility", "seconds")]
        assert places == sorted(places), "objectives come first"
        assert clicks <= MOST_CLICKS

        await visit(tab, link, width=390)
        await click(tab, "[aria-label='Toggle sidebar']")
        assert MEMBER in await seen(tab, "trial-0001")
        assert await tab.run("document.documentElement.scrollWidth") <= 390
        theirs = ("AG Grid", "404", "ResizeObserver")
        assert [told for told in tab.complaints if not any(name in told for name in theirs)] == []


async def seen(tab: browser.Tab, *words: str) -> str:
    """The text of the page, once all of these words are in it."""
    return str(await until(tab, f"{json.dumps(words)}.every((word) => {TEXT}.includes(word)) ? {TEXT} : ''"))


async def visit(tab: browser.Tab, url: str, width: int) -> None:
    await tab.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                   mobile=width < 600)  # fmt: skip
    await tab.call("Page.navigate", url="about:blank")
    await tab.call("Page.navigate", url=url)


async def until(tab: browser.Tab, script: str) -> object:
    """The value of an expression, once there is one."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := await tab.run(script):
            return found
        await asyncio.sleep(1)
    raise TimeoutError(f"{script}\n{await tab.run(TEXT)}")


async def click(tab: browser.Tab, selector: str) -> None:
    """Click the first element of a kind, once it is there."""
    await until(tab, f"document.querySelector({selector!r}) ? 1 : null")
    await tab.run(f"document.querySelector({selector!r}).click()")
