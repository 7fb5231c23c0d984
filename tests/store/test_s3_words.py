"""What S3, its look-alikes and everything else at the address may answer, and the word that it is told with."""

import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.config import Config

from tuner.base.s3 import calls, client
from tuner.store import Store, StoreError, open_store, s3
from tuner.store.probe import require_conditional_put

PAGE = b"<!doctype html><html><head><title>Welcome</title></head><body><br>Sign in</body></html>"
Answer = tuple[int, dict[str, str], bytes]


class Answering(ThreadingHTTPServer):
    """Answers every request of a method the same; `any` stands for all other methods."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def answer(self) -> None:
        assert isinstance(self.server, Answering)
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.requests.append(self.command)
        status, headers, body = self.server.answers.get(self.command) or self.server.answers["any"]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_DELETE = answer


@pytest.fixture(scope="module", autouse=True)
def _keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        _set_keys(monkeypatch, tmp_path_factory.mktemp("aws"))
        yield


def _set_keys(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "CANARY")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(folder / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    once = {"retries": {"mode": "standard", "total_max_attempts": 1}, "connect_timeout": 1, "read_timeout": 1}
    monkeypatch.setattr(client, "CONFIG", client.CONFIG.merge(Config(**once)))
    monkeypatch.setattr(calls, "PAUSES_S", ())


@pytest.fixture(scope="module")
def server(_keys: None) -> Iterator[Answering]:
    with Answering() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def store(server: Answering) -> Store:
    """The store at that server, its client made once."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        store = open_store("s3://bucket/x")
        assert isinstance(store, s3.S3Store)
        assert store.client
    return store


@pytest.fixture
def reached_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], StoreError]:
    """Asks for the refusal of a new store at an endpoint."""

    def ask(endpoint: str) -> StoreError:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        return refusal(open_store("s3://bucket/x"), "stat")

    return ask


OPERATIONS: dict[str, Callable[[Store], object]] = {
    "stat": lambda store: store.stat("k"),
    "get": lambda store: store.get("k"),
    "put": lambda store: store.put("k", b"1"),
    "put_new": lambda store: store.put_new("k", b"1"),
    "list": lambda store: list(store.list("")),
    "now": lambda store: store.now(),
}


def refusal(store: Store, action: str) -> StoreError:
    """The error of an operation, in three parts and without the keys."""
    store._calls.reached = False  # type: ignore[attr-defined]
    with pytest.raises(StoreError) as caught:
        OPERATIONS[action](store)
    assert "CANARY" not in str(caught.value)
    assert caught.value.__context__ is None
    return caught.value


def spoken(code: str, status: int = 403, region: str = "") -> Answer:
    inside = f"<Region>{region}</Region>" if region else ""
    return status, {}, f"<Error><Code>{code}</Code><Message>CANARY</Message>{inside}</Error>".encode()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (spoken("ExpiredToken", 400), "AWS_SESSION_TOKEN"),
        (spoken("InvalidToken", 400), "AWS_SESSION_TOKEN"),
        (spoken("InvalidAccessKeyId"), "AWS_ACCESS_KEY_ID"),
        (spoken("SignatureDoesNotMatch"), "AWS_SECRET_ACCESS_KEY"),
        (spoken("RequestTimeTooSkewed"), "clock"),
        (spoken("AccessDenied"), "policy"),
        (spoken("AuthorizationHeaderMalformed", 400, "eu-west-1"), "AWS_REGION=eu-west-1"),
        (spoken("AuthorizationHeaderMalformed", 400), "AWS_REGION"),
    ],
)
def test_a_refusal_is_told_with_its_cause_even_where_head_is_answered_without_a_word(server, store, answer, said):
    server.answers = {"any": answer}
    for action in ("stat", "get", "put_new"):
        server.requests.clear()
        assert said in str(refusal(store, action))
        assert len(server.requests) <= 4


def test_a_bare_400_may_be_token_or_region(server, store):
    server.answers = {"any": (400, {}, b"")}
    told = str(refusal(store, "stat"))
    assert "AWS_SESSION_TOKEN" in told
    assert "AWS_REGION" in told


@pytest.mark.parametrize(
    "code", ["RequestTimeTooSkewed", "AccessDenied", "SignatureDoesNotMatch", "RequestExpired", ""]
)
@pytest.mark.parametrize(
    ("off_s", "said"), [(3 * 3600, "3.0 h ahead of"), (-1200, "20 min behind"), (-9e6, "104 days")]
)
def test_a_wrong_clock_is_told_as_one_whatever_the_server_calls_it(server, store, monkeypatch, code, off_s, said):
    status, _, body = spoken(code) if code else (403, {}, b"")
    server.answers = {"any": (status, {}, body)}
    monkeypatch.setattr(Handler, "date_time_string", lambda _: formatdate(time.time() - off_s, usegmt=True))
    for action in ("stat", "put_new", "list", "now"):
        error = refusal(store, action)
        assert said in error.what
        assert "clock" in error.expected
        assert "NTP" in error.todo
        assert "AWS_" not in str(error)


def test_a_skew_that_only_the_body_tells_is_told(server, store):
    """Through a proxy that dates its answers itself."""
    moment = datetime.now(UTC) - timedelta(hours=5)
    body = f"<Error><Code>RequestTimeTooSkewed</Code><ServerTime>{moment:%Y-%m-%dT%H:%M:%SZ}</ServerTime></Error>"
    server.answers = {"any": (403, {}, body.encode())}
    assert "5.0 h ahead of" in refusal(store, "get").what


@pytest.mark.parametrize("date", ["", "nonsense", "Thu, 99 Jan 2026 00:00:00 GMT"])
def test_an_answer_without_a_date_says_nothing_of_the_clock(server, store, date):
    server.answers = {"any": (403, {"date": date}, b"<Error><Code>AccessDenied</Code></Error>")}
    assert "policy" in refusal(store, "get").todo


@pytest.mark.parametrize("answer", [spoken("NotImplemented", 501), spoken("InvalidArgument", 400), (405, {}, b"")])
def test_a_server_that_refuses_conditions_alone_holds_no_search(server, store, answer, monkeypatch):
    """It answers a plain PUT, and one with a condition with a no."""
    real = Handler.answer

    def by_condition(handler: Handler) -> None:
        server.answers = {"any": (200, {"etag": '"1"', "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT"}, b"")}
        if handler.headers.get("if-none-match") or handler.headers.get("if-match"):
            server.answers = {"any": answer}
        real(handler)

    for method in ("GET", "HEAD", "PUT", "DELETE"):
        monkeypatch.setattr(Handler, f"do_{method}", by_condition)
    with pytest.raises(StoreError, match="cannot hold a search: it refuses conditional writes") as caught:
        require_conditional_put(store)
    assert "credentials" not in caught.value.expected


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_named_with_its_target_and_followed_nowhere(server, store, status):
    server.answers = {"any": (status, {"location": "https://u:CANARY@other.example:9000/bucket?CANARY"}, PAGE)}
    for action in OPERATIONS:
        server.requests.clear()
        error = refusal(store, action)
        assert "redirect to https://other.example:9000" in error.what
        assert "AWS_ENDPOINT_URL" in error.todo
        assert len(server.requests) <= 3


def test_a_redirect_that_names_the_region_is_told_with_it(server, store):
    server.answers = {"any": (301, {"x-amz-bucket-region": "eu-central-1"}, b"")}
    assert "AWS_REGION=eu-central-1" in refusal(store, "stat").todo
    server.answers = {"any": spoken("PermanentRedirect", 301)}
    assert "AWS_REGION" in refusal(store, "get").todo


@pytest.mark.parametrize("body", [PAGE, b"OK", b"", b"{}"])
def test_a_web_page_in_the_place_of_s3_is_no_store(server, store, body):
    server.answers = {"any": (200, {"content-type": "text/html"}, body)}
    for action in ("stat", "get", "put", "put_new", *(["list"] if body else [])):
        error = refusal(store, action)
        assert "web page" in error.what
        assert "AWS_ENDPOINT_URL" in error.todo


@pytest.mark.parametrize("body", [b"", PAGE, b"Method Not Allowed", b"<Error><Code>"])
def test_a_server_that_knows_no_put_is_told(server, store, body):
    for status in (405, 501):
        server.answers = {"any": (status, {}, body)}
        assert "AWS_ENDPOINT_URL" in refusal(store, "put").todo


def test_a_missing_bucket_is_told_by_its_name(server, store):
    server.answers = {"any": spoken("NoSuchBucket", 404), "HEAD": (404, {}, b"")}
    for action in ("put", "put_new", "list", "get", "now"):
        assert "a bucket named bucket" in refusal(store, action).expected
    server.answers = {"any": (404, {}, PAGE)}
    assert "AWS_ENDPOINT_URL" in refusal(store, "list").todo


def test_a_code_that_is_none_is_not_repeated(server, store):
    server.answers = {"any": spoken("&lt;script&gt; CANARY", 418)}
    assert refusal(store, "get").what.endswith("answered 418")


def test_who_is_not_there_is_told(reached_at):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        assert "no server is listening there" in reached_at(f"http://127.0.0.1:{nobody.getsockname()[1]}").what
    assert "its host name cannot be resolved" in reached_at("http://no-such-host.invalid").what
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "did not answer" in reached_at(f"http://127.0.0.1:{silent.getsockname()[1]}").what


@pytest.mark.slow
def test_https_at_a_plain_port_and_http_at_a_secure_one_are_told_apart(server, reached_at, tmp_path):
    error = reached_at(f"https://127.0.0.1:{server.server_port}")
    assert "it does not speak TLS" in error.what
    assert "http or https" in error.todo
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "2"]
    files = [str(tmp_path / "key"), str(tmp_path / "certificate")]
    subprocess.run([*make, "-keyout", files[0], "-out", files[1]], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files[1], files[0])
    with socket.create_server(("127.0.0.1", 0)) as secure:
        threading.Thread(target=_shake_hands, args=(secure, context), daemon=True).start()
        address = f"127.0.0.1:{secure.getsockname()[1]}"
        assert "AWS_CA_BUNDLE" in reached_at(f"https://{address}").todo
        assert "https" in reached_at(f"http://{address}").what


def _shake_hands(secure: socket.socket, context: ssl.SSLContext) -> None:
    """Let each visitor try to speak TLS, and hang up."""
    while True:
        try:
            visitor, _ = secure.accept()
        except OSError:
            return
        try:
            context.wrap_socket(visitor, server_side=True).close()
        except OSError:
            visitor.close()


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("AWS_PROFILE", "no-such-profile", "AWS_PROFILE"),
        ("AWS_SECRET_ACCESS_KEY", "CANARY\nCANARY", "AWS_SECRET_ACCESS_KEY"),
        ("AWS_ACCESS_KEY_ID", "CANARY\nCANARY", "AWS_ACCESS_KEY_ID"),
        ("AWS_DEFAULT_REGION", "-", "AWS_REGION"),
        ("HTTP_PROXY", "http://127.0.0.1:1", "HTTP_PROXY"),
        ("AWS_ENDPOINT_URL", "127.0.0.1:9000", "AWS_ENDPOINT_URL"),
        ("AWS_ENDPOINT_URL", "http://[::1", "AWS_ENDPOINT_URL"),
    ],
)
def test_settings_that_cannot_be_are_named(server, monkeypatch, variable, value, said):
    server.answers = {"any": spoken("SignatureDoesNotMatch")}
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv(variable, value)
    assert said in str(refusal(open_store("s3://bucket/x"), "get"))


def test_half_a_pair_of_keys_is_no_pair(monkeypatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    assert "no S3 credentials" in refusal(open_store("s3://bucket/x"), "stat").what
