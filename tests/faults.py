"""A proxy that spoils HTTP answers on purpose: errors, slowness, cut bodies, lost answers. Standard library only."""

import http.client
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Fault:
    """What happens to one request.

    Args:
        kind: `error` (the request never reaches the server), `lost` (it does, but the answer is an error),
            `cut` (the answer's body ends in the middle), `drop` (the connection closes without an answer)
            or `slow`.
        status: of `error` and `lost`.
        delay_s: of `slow`.
        method: the fault waits for a request of this method; empty: any.
    """

    kind: str
    status: int = 503
    delay_s: float = 0.0
    method: str = ""


class FaultProxy:
    """A context manager: a proxy on loopback in front of a server, with a queue of faults to come.

    Args:
        upstream: the server, http://host:port.
        port: where it listens once it is entered; 0: any.
    """

    def __init__(self, upstream: str, port: int = 0) -> None:
        parts = urlsplit(upstream)
        self.upstream = (parts.hostname or "", parts.port or 80)
        self.faults: deque[Fault] = deque()
        self.requests: list[str] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self), bind_and_activate=False)
        self._server.server_bind()
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def plan(self, faults: Iterable[Fault]) -> None:
        """Queue faults; each spoils one request, later ones pass untouched."""
        with self._lock:
            self.faults.extend(faults)

    def next_fault(self, method: str) -> Fault | None:
        with self._lock:
            self.requests.append(method)
            for fault in self.faults:
                if fault.method in ("", method):
                    self.faults.remove(fault)
                    return fault
        return None

    def __enter__(self) -> "FaultProxy":
        self._server.server_activate()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault = proxy.next_fault(self.command) or Fault("none")
            if fault.kind == "slow":
                time.sleep(fault.delay_s)
            if fault.kind == "error":
                self._answer(fault.status, {}, b"<Error><Code>Fault</Code></Error>")
                return
            if fault.kind == "drop":
                self.close_connection = True
                return
            try:
                status, headers, answer = self._forward(body)
            except OSError:  # nobody is behind the proxy now
                self.close_connection = True
                return
            if fault.kind == "lost":
                self._answer(fault.status, {}, b"<Error><Code>Fault</Code></Error>")
            else:
                self._answer(status, headers, answer, cut=fault.kind == "cut")

        def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection(*proxy.upstream, timeout=60)
            headers = {name: value for name, value in self.headers.items() if name.lower() != "expect"}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer.status, dict(answer.getheaders()), content

        def _answer(self, status: int, headers: dict[str, str], body: bytes, cut: bool = False) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            length = headers.get("Content-Length", len(body)) if self.command == "HEAD" else len(body)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body[: len(body) // 2] if cut else body)
            self.close_connection |= cut

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _serve

    return Handler
