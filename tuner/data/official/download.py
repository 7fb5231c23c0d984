"""Downloads one file over HTTP, resumed where it broke off.

The first bytes lie in `NAME.part`, and in `NAME.part.json` of which file on the server they are. A later call asks for
the rest only (HTTP Range), and `If-Range` makes the server send all of it again if the file has changed since.
"""

import errno
import http.client
import json
import shutil
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from tuner.base.plain_json import InvalidJsonError, parse_object
from tuner.base.progress import Progress
from tuner.base.secrets import hide
from tuner.base.steps import Step
from tuner.errors import TunerError, UsageError

MB = 1_000_000
BLOCK = 2**18  # bytes
TIMEOUT_S = 30.0  # without a byte
TRIES = 6  # in a row that brought nothing
PAUSE_S = 1.0  # before the second of them, doubled from one to the next
BUSY = (408, 429, 500, 502, 503, 504)  # answers that mean "later"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
BROKEN = (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


class _BrokenOffError(Exception):
    """The connection ended, or the server was busy; asking again may help."""


def download(url: str, target: Path, progress: Progress, *, todo: str, pause_s: float = PAUSE_S) -> None:
    """Download a file, or the rest of it.

    Args:
        url: its address, `http` or `https`.
        target: where it lies in the end; nothing is there before it is complete.
        progress: told of megabytes, rate and ETA.
        todo: what a user can do where the address cannot be reached or has no such file.
        pause_s: seconds before the second try, doubled from one to the next.

    Raises:
        UsageError: the address is of another kind.
        TunerError: it cannot be reached, has no such file, breaks off again and again, or the disk is full. What has
            arrived is kept, and the next call carries on with it.
    """
    check_address(url)
    part = _Part(url, target)
    with progress.step(f"downloading {target.name}") as step:
        failures = 0
        while not part.is_complete():
            before = part.size()
            try:
                _ask(part, step, todo)
            except _BrokenOffError as broken:
                failures = 1 if part.size() > before else failures + 1
                if failures >= TRIES:
                    raise TunerError(
                        f"{hide(url)} broke off {part.said()}: {broken}",
                        "a connection that lasts",
                        "run the same command again: it carries on where this one ended",
                    ) from None
                step.at(f"broke off {part.said()} ({broken}), asking for the rest")
                time.sleep(pause_s * 2 ** (failures - 1))
    part.finish()


def check_address(url: str) -> None:
    """Refuse what is no address of the web.

    Raises:
        UsageError: it has another scheme, or no host.
    """
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known:
        raise UsageError(f"{hide(url)} is no address of the web", "http:// or https://", "give one, or a file's path")


class _Part:
    """The first bytes of a file, and which file on the server they are from."""

    def __init__(self, url: str, target: Path) -> None:
        self.url, self.target = url, target
        self.file, self.about = (target.with_name(f"{target.name}{end}") for end in (".part", ".part.json"))
        self.version, self.total = "", -1  # ETag or date of the file, "" if unknown; its bytes, -1 if unknown
        known: dict[str, object] = {}
        with suppress(OSError, InvalidJsonError):
            known = parse_object(self.about.read_bytes()[:10_000])
        version, total = known.get("version"), known.get("total")
        if known.get("url") == hide(url) and isinstance(version, str) and type(total) is int:
            self.version, self.total = version, total
        else:
            self.file.unlink(missing_ok=True)  # nobody knows of what it is the beginning

    def size(self) -> int:
        """Bytes that are here."""
        with suppress(FileNotFoundError):
            return self.file.stat().st_size
        return 0

    def is_complete(self) -> bool:
        """Whether all bytes are here."""
        return self.total >= 0 and self.size() == self.total

    def said(self) -> str:
        """How far it is, in words."""
        of = f" of {self.total / MB:,.1f}" if self.total >= 0 else ""
        return f"after {self.size() / MB:,.1f}{of} MB"

    def begin(self, version: str, total: int) -> None:
        """Forget what is here: the server sends a file from its first byte on."""
        self.file.write_bytes(b"")
        self.version, self.total = version, total
        self.about.write_text(json.dumps({"url": hide(self.url), "version": version, "total": total}))

    def finish(self) -> None:
        """Put the complete file in its place."""
        self.file.replace(self.target)
        self.about.unlink(missing_ok=True)


def _ask(part: _Part, step: Step, todo: str) -> None:
    """Ask once for what is missing, and write what comes."""
    start = part.size() if part.size() <= part.total else 0
    headers = {"Accept-Encoding": "identity", "User-Agent": "qpm-tuner"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if part.version:
            headers["If-Range"] = part.version
    try:
        request = urllib.request.Request(part.url, headers=headers)
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            _receive(answer, part, start, step, todo)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and start:
            part.begin("", -1)
            raise _BrokenOffError("the file there is another one now") from None
        if error.code in BUSY:
            raise _BrokenOffError(f"it answers {error.code} {error.reason}") from None
        raise TunerError(f"{hide(part.url)} answers {error.code} {error.reason}", "the file", todo) from None
    except urllib.error.URLError as error:
        raise _unreachable(part, error.reason, todo) from None
    except http.client.InvalidURL as error:
        raise UsageError(f"{hide(part.url)} is no address: {error}", "http:// or https://", "correct it") from None
    except BROKEN as error:
        raise _BrokenOffError(str(error) or type(error).__name__) from None


def _receive(answer: http.client.HTTPResponse, part: _Part, start: int, step: Step, todo: str) -> None:
    """Write the bytes of an answer behind those that are here, or instead of them."""
    if answer.headers.get_content_type() == "text/html" and not part.target.name.endswith((".html", ".htm")):
        raise TunerError(f"{hide(part.url)} answers with a web page", f"the file {part.target.name}", todo)
    length = answer.headers.get("Content-Length", "")
    bytes_left = int(length) if length.isdigit() else -1
    if answer.status == 206:
        begins = answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        if not begins or start + bytes_left != part.total:
            part.begin("", -1)
            raise _BrokenOffError("the file there is another one now")
    else:
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
        part.begin("" if version.startswith("W/") else version, bytes_left)
    if bytes_left > shutil.disk_usage(part.target.parent).free:
        raise _full(part, f"{bytes_left / MB:,.0f} MB more")
    here = part.size()
    with part.file.open("ab") as file:
        for block in _blocks(answer):
            try:
                _write(file, block)
            except OSError as error:
                raise _full(part) if error.errno in FULL else error from None
            here += len(block)
            _tell(step, here, part.total)
    if part.total < 0:
        part.total = here
    elif here < part.total:
        raise _BrokenOffError("the server ended the connection")


def _write(file: BinaryIO, block: bytes) -> None:
    file.write(block)
    file.flush()


def _blocks(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """The bytes of an answer, one block after the other."""
    while True:
        try:
            block = answer.read(BLOCK)
        except (OSError, http.client.HTTPException) as error:
            raise _BrokenOffError(str(error) or type(error).__name__) from None
        if not block:
            return
        yield block


def _tell(step: Step, here: int, total: int) -> None:
    if total >= 0:
        step.count(here // MB, max(total // MB, 1), "MB")
    else:
        step.at(f"{here // MB:,} MB")


def _full(part: _Part, wanted: str = "space for the rest") -> TunerError:
    return TunerError(
        f"there is no space for {part.target} {part.said()}",
        f"{wanted}, and about as much again to unpack it",
        "make room and run the same command again: it carries on; or give another `root`",
    )


def _unreachable(part: _Part, reason: object, todo: str) -> Exception:
    """The error for a server that cannot be reached; one that has already sent something is asked again."""
    host = urlsplit(part.url).hostname
    if isinstance(reason, ssl.SSLCertVerificationError):
        return TunerError(
            f"{host} shows a certificate that this machine does not trust: {reason.verify_message}",
            "a certificate of a known authority",
            "set SSL_CERT_FILE to your authorities' certificates, or " + todo,
        )
    said = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    if part.size() and not isinstance(reason, socket.gaierror):
        return _BrokenOffError(said)
    return TunerError(
        f"{host} cannot be reached: {said}",
        "a connection to the internet (through a proxy: set HTTPS_PROXY)",
        todo,
    )
