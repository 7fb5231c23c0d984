"""What only S3 has: requests that cost money, addresses, credentials, and errors that must not quote them."""

import os
import socket
import traceback
from collections import Counter
from pathlib import Path

import pytest

from cluster.s3 import S3Server
from tests.faults import Fault, FaultProxy
from tuner.base import pulse
from tuner.doctor.checks import stores
from tuner.errors import TunerError, UsageError
from tuner.store import Artifacts, Lease, Ledger, MissingKeyError, StoreError, open_store, probe_conditional_put
from tuner.store.s3 import S3Store

pytestmark = pytest.mark.cluster

CANARY = "CANARYsecretCANARY"


def _count_requests(store: S3Store) -> Counter[str]:
    """Counts the requests that are really sent from now on, by operation."""
    requests: Counter[str] = Counter()

    def count(request: object, event_name: str, **_: object) -> None:
        requests[event_name.rpartition(".")[2]] += 1

    store.client.meta.events.register("before-send.s3", count)
    return requests


def test_requests_of_each_operation(s3_store: S3Store, tmp_path: Path) -> None:
    requests = _count_requests(s3_store)

    def spent() -> dict[str, int]:
        result = dict(requests)
        requests.clear()
        return result

    s3_store.put("x", b"1")
    assert spent() == {"PutObject": 1}
    s3_store.put_new("x", b"1")
    assert spent() == {"PutObject": 1}
    s3_store.get("x")
    assert spent() == {"GetObject": 1}
    stat = s3_store.stat("x")
    assert spent() == {"HeadObject": 1}
    assert stat is not None
    s3_store.replace("x", b"2", stat.version)
    assert spent() == {"PutObject": 1}
    assert list(s3_store.list("")) == ["x"]
    assert spent() == {"ListObjectsV2": 1}
    s3_store.upload(Path(__file__), "file")
    assert spent() == {"PutObject": 1}
    s3_store.download("file", tmp_path / "file")
    assert spent() == {"GetObject": 1}
    s3_store.now()
    assert spent() == {"HeadBucket": 1}
    s3_store.delete("x")
    assert spent() == {"DeleteObject": 1}


def test_requests_of_artifacts_and_ledger(s3_store: S3Store, folder: Path) -> None:
    requests = _count_requests(s3_store)
    artifacts = Artifacts(s3_store)
    artifacts.publish("banks", "k", folder, {})
    assert requests == {"PutObject": 4}, "three files, the manifest"
    requests.clear()
    artifacts.find("banks", "k")
    assert requests == {"GetObject": 1}
    artifacts.fetch("banks", "k")
    requests.clear()
    artifacts.fetch("banks", "k")
    assert requests == {"GetObject": 1}, "a second fetch reads the manifest and no file"
    ledger = Ledger(s3_store, "digits", compact_every=0)
    requests.clear()
    for number in range(5):
        ledger.append({"number": number})
    assert requests == {"PutObject": 5}
    ledger.compact()
    requests.clear()
    assert len(Ledger(s3_store, "digits").read()) == 5
    assert requests == {"ListObjectsV2": 1, "GetObject": 1}


def _refusal(url: str) -> TunerError:
    """The error of a first read and write, checked to be in three parts and without secrets."""
    store = open_store(url)
    with pytest.raises(TunerError) as caught:
        store.get("x")
    with pytest.raises(TunerError):
        store.put("x", b"")
    error = caught.value
    told = "".join(traceback.format_exception(error)) + repr(error) + repr(error.args) + repr(store)
    assert error.__cause__ is None
    assert error.__context__ is None, "a botocore exception would carry what was signed"
    for secret in (CANARY, os.environ.get("AWS_SECRET_ACCESS_KEY"), os.environ.get("AWS_ACCESS_KEY_ID")):
        assert not secret or secret not in told
    assert error.what
    assert error.expected
    assert error.todo
    assert not isinstance(error, MissingKeyError)
    return error


def test_wrong_secret(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    assert "AWS_SECRET_ACCESS_KEY" in _refusal(s3_url).todo


def test_wrong_access_key(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", CANARY)
    assert "AWS_ACCESS_KEY_ID" in _refusal(s3_url).todo


def test_no_credentials(s3_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    assert "no S3 credentials" in _refusal(s3_url).what


def test_missing_bucket(s3_url: str) -> None:
    error = _refusal("s3://no-such-bucket/place")
    assert "no-such-bucket" in error.expected
    with pytest.raises(TunerError, match="no-such-bucket"):
        probe_conditional_put(open_store("s3://no-such-bucket/place"))


def test_forbidden_is_told_and_not_retried(s3_url: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultProxy(s3_server.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        proxy.plan([Fault("error", 403)] * 2)
        assert "policy" in _refusal(s3_url).todo
        assert len(proxy.requests) == 2


def test_unreachable_endpoint(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://user:{CANARY}@127.0.0.1:{nobody.getsockname()[1]}")
        assert "no connection to http://127.0.0.1" in _refusal(s3_url).what


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:1", f"http://key:{CANARY}", "nonsense"], ids=["no scheme", "no host", "no url"]
)
def test_senseless_endpoint(s3_url: str, monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert "AWS_ENDPOINT_URL" in _refusal(s3_url).todo


def test_server_without_conditional_puts(s3_url: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultProxy(s3_server.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        proxy.plan([Fault("error", 501, method="PUT")] * 8)
        assert probe_conditional_put(open_store(s3_url)) is False


@pytest.mark.parametrize("ignored", [["If-None-Match", "If-Match"], ["If-Match"], ["If-None-Match"]])
def test_a_server_that_ignores_conditions_holds_no_search(s3_store: S3Store, ignored: list[str]) -> None:
    """As gateways do; whoever asks before a search is told so as well."""

    def drop(params: dict[str, dict[str, str]], **_: object) -> None:
        for name in ignored:
            params["headers"].pop(name, None)

    s3_store.client.meta.events.register("before-call.s3.PutObject", drop)
    with pytest.raises(StoreError, match="ignores conditional writes") as caught, Lease(s3_store, "digits", "ana"):
        pass
    assert "If-None-Match" in caught.value.expected
    assert [check.ok for check in stores(s3_store) if check.name == "conditions"] == [False]
    assert list(s3_store.list("")) == []


@pytest.mark.parametrize(
    "url", [f"s3://key:{CANARY}@bucket/x", "s3://", "http://bucket/x", "s3://bucket/../x", "s3://bucket/x?y=1"]
)
def test_urls_of_no_store(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(url)
    assert CANARY not in str(caught.value) + repr(caught.value)


def test_each_portion_of_a_large_file_is_a_sign_of_life(s3_store, tmp_path):
    """A bank takes long to come; a count that rises tells it from one that hangs."""
    (tmp_path / "bank").write_bytes(bytes(20 * 2**20))
    before = pulse.count()
    s3_store.upload(tmp_path / "bank", "banks/large")
    sent = pulse.count()
    assert sent - before >= 3
    s3_store.download("banks/large", tmp_path / "again")
    assert pulse.count() - sent >= 3
