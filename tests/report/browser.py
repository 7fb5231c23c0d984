"""A real browser for tests: Chromium without a window, spoken to by its DevTools protocol over aiohttp."""

import asyncio
import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-extensions", "--remote-debugging-port=0",
)  # fmt: skip
STARTS_S = 20.0
ANSWERS_S = 60.0  # a page that is being checked on a busy machine is silent for long


def find() -> str | None:
    """The path of a Chromium, if there is one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Tab:
    """A page in the browser.

    Attributes:
        complaints: what its console said as a warning or an error, and every exception.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.complaints: list[str] = []
        self.events: list[str] = []
        self._last = 0

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol; events that arrive meanwhile are kept."""
        self._last += 1
        mine = self._last
        await self.socket.send_json({"id": mine, "method": method, "params": params})
        while True:
            message = json.loads((await self.socket.receive(timeout=ANSWERS_S)).data)
            if message.get("id") == mine:
                assert "error" not in message, f"{method}: {message}"
                return message["result"]
            self._event(message)

    def _event(self, message: dict[str, Any]) -> None:
        method, params = message.get("method", ""), message.get("params", {})
        self.events.append(method)
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(params["exceptionDetails"].get("exception", params["exceptionDetails"])))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.complaints.append(str([a.get("value") or a.get("description") for a in params["args"]]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])

    async def open(self, file: Path, width: int = 1280, height: int = 900) -> None:
        """Open a file, and wait until it is there."""
        await self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                        mobile=width < 600)  # fmt: skip
        self.events.clear()
        await self.call("Page.navigate", url=file.as_uri())
        while "Page.loadEventFired" not in self.events:
            self._event(json.loads((await self.socket.receive(timeout=ANSWERS_S)).data))

    async def run(self, script: str) -> Any:
        """The value of an expression of JavaScript, awaited."""
        found = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, f"{script[:200]}: {found['exceptionDetails']}"
        return found["result"].get("value")

    async def mouse(self, kind: str, x: float, y: float, buttons: int = 0) -> None:
        """A pointer event: mouseMoved, mousePressed or mouseReleased."""
        pressed = kind != "mouseMoved"
        await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, buttons=buttons, clickCount=int(pressed),
                        button="left" if pressed or buttons else "none")  # fmt: skip

    async def press(self, key: str) -> None:
        """A key, such as ArrowRight or Tab."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowRight": 39, "ArrowLeft": 37}
        for kind in ("rawKeyDown", "keyUp"):
            await self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key])

    async def picture(self, place: Path, selector: str = "") -> None:
        """A PNG of the whole page, or of an element."""
        found: dict[str, Any] = {}
        if selector:
            box = await self.run(
                f"(() => {{ const b = document.querySelector({selector!r}).getBoundingClientRect();"
                "return {x: b.x + scrollX, y: b.y + scrollY, width: b.width, height: b.height, scale: 1}; })()"
            )
            found["clip"] = box
        shot = await self.call("Page.captureScreenshot", captureBeyondViewport=True, **found)
        place.write_bytes(base64.b64decode(shot["data"]))


@contextlib.asynccontextmanager
async def tab() -> AsyncIterator[Tab]:
    """A new browser with one page; it ends with the block."""
    program = find()
    assert program is not None, "no Chromium on this machine"
    with tempfile.TemporaryDirectory(prefix="qpm-tuner-browser-", ignore_cleanup_errors=True) as profile:
        command = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = await _port(Path(profile) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    pages = [page for page in await answer.json() if page["type"] == "page"]
                async with session.ws_connect(pages[0]["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    page = Tab(socket)
                    for domain in ("Page", "Runtime", "Log"):
                        await page.call(f"{domain}.enable")
                    yield page
        finally:
            browser.terminate()
            browser.wait(timeout=STARTS_S)


async def _port(file: Path) -> int:
    """The port on which a browser listens, once it has written it."""
    for _ in range(int(STARTS_S / 0.05)):
        if file.exists() and (lines := file.read_text().split()):
            return int(lines[0])
        await asyncio.sleep(0.05)
    raise TimeoutError(f"Chromium did not listen within {STARTS_S:.0f} s")
