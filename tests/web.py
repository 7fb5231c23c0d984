"""A web server on loopback that sends parts of files (Range), and breaks off or refuses as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Site:
    """What a server has and does.

    Attributes:
        address: `http://127.0.0.1:PORT`.
        files: content by path.
        breaks: for the next requests, in order, how many bytes are sent before the connection ends; None: all.
        answers: for the next requests, in order, the status that is answered in place of the file.
        knows_ranges: whether a part of a file can be asked for.
        says_length: whether an answer has a length.
        kind: of the files' content.
        asked: the requests: path, and the headers Range and If-Range.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int | None] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    knows_ranges: bool = True
    says_length: bool = True
    kind: str = "application/octet-stream"
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)


@contextmanager
def served() -> Iterator[Site]:
    """A server for the duration of a block."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            wanted, unchanged = self.headers["Range"], self.headers["If-Range"]
            site.asked.append((path, wanted, unchanged))
            if site.answers or path not in site.files:
                self.send_error(site.answers.pop(0) if site.answers else 404)
                return
            content = site.files[path]
            tag = f'"{hash(content)}"'
            start = 0
            if wanted and site.knows_ranges and unchanged in (None, tag):
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("Content-Type", site.kind)
            self.send_header("ETag", tag)
            if site.says_length:
                self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            most = site.breaks.pop(0) if site.breaks else None
            self.wfile.write(content[start:] if most is None else content[start : start + most])

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
