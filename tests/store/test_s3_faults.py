"""S3 behind a proxy that spoils answers: every operation survives, and no answer that was lost misleads it."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.config import Config

from cluster.s3 import S3Server
from cluster.services import free_port
from tests.faults import Fault, FaultProxy
from tuner.base.s3 import calls, client
from tuner.errors import TunerError
from tuner.store import Artifacts, Ledger, Store, open_store

pytestmark = [pytest.mark.cluster, pytest.mark.chaos]

FAULTS = {
    "500": [Fault("error", 500)],
    "503 three times": [Fault("error", 503)] * 3,
    "dropped connection": [Fault("drop")],
    "truncated": [Fault("cut")],
    "slow": [Fault("slow", delay_s=1.0)],
    "lost answer": [Fault("lost", 500)],
    "a mixture": [Fault("error", 500), Fault("cut"), Fault("drop"), Fault("lost", 503)],
}


@pytest.fixture
def proxy(s3_url: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    with FaultProxy(s3_server.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield proxy


@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_every_operation_survives(proxy: FaultProxy, s3_url: str, tmp_path: Path, faults: list[Fault]) -> None:
    store = open_store(s3_url)
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(b"abc" * 1000)
    for step in range(9):
        proxy.plan(faults)
        match step:
            case 0:
                assert store.put_new("x", b"first") is True
            case 1:
                assert store.put_new("x", b"second") is False
            case 2:
                assert store.get("x") == b"first"
            case 3:
                stat = store.stat("x")
                assert stat is not None
                version = store.replace("x", b"second", stat.version)
                assert version == store.stat("x").version
            case 4:
                assert store.replace("x", b"third", stat.version) is None
            case 5:
                store.upload(source, "file")
            case 6:
                store.download("file", copy)
                assert copy.read_bytes() == source.read_bytes()
            case 7:
                assert sorted(store.list("")) == ["file", "x"]
            case 8:
                store.delete("x")
                assert store.stat("x") is None
    proxy.faults.clear()


def test_large_file_survives_faults_of_its_parts(proxy: FaultProxy, s3_url: str, tmp_path: Path) -> None:
    store = open_store(s3_url)
    source, copy = tmp_path / "source", tmp_path / "copy"
    source.write_bytes(bytes(range(250)) * 160_000)
    proxy.plan([Fault("error", 500, method="PUT"), Fault("drop", method="PUT"), Fault("lost", method="POST")])
    store.upload(source, "large")
    proxy.plan([Fault("cut", method="GET"), Fault("error", method="GET"), Fault("cut", method="GET")])
    store.download("large", copy)
    assert copy.read_bytes() == source.read_bytes()
    assert not proxy.faults


def test_a_store_that_comes_back_is_waited_for(proxy: FaultProxy, s3_url: str) -> None:
    store = open_store(s3_url)
    store.put("x", b"1")
    proxy.plan([Fault("error", 503)] * 7)  # more than botocore's five attempts
    assert store.get("x") == b"1"


def test_a_silent_server_is_given_up_in_bounded_time(
    proxy: FaultProxy, s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CONFIG", client.CONFIG.merge(Config(read_timeout=0.5)))
    monkeypatch.setattr(calls, "PAUSES_S", (1.0, 2.0))
    proxy.plan([Fault("slow", delay_s=3.0)] * 50)
    start = time.monotonic()
    with pytest.raises(TunerError, match="did not answer"):
        open_store(s3_url).get("x")
    assert time.monotonic() - start < 60
    proxy.faults.clear()


def test_artifact_and_ledger_survive(proxy: FaultProxy, s3_url: str, folder: Path) -> None:
    store = open_store(s3_url)
    mixture = [Fault("error", 500), Fault("lost", 503, method="PUT"), Fault("cut", method="GET")]
    proxy.plan(mixture)
    Artifacts(store).publish("banks", "k", folder, {})
    ledger = Ledger(store, "digits")
    for number in range(6):
        proxy.plan(mixture[number % 2 : number % 2 + 1])
        ledger.append({"number": number})
    proxy.plan(mixture)
    assert [event["number"] for event in Ledger(store, "digits").read()] == list(range(6))
    proxy.plan(mixture[::2])
    fetched = Artifacts(store).fetch("banks", "k")
    assert (fetched / "info.json").read_text() == '{"a": 1}'


def test_proxy_really_spoils(proxy: FaultProxy, s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without retries the same faults are errors: the tests above test something."""
    once = client.CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 1}))
    monkeypatch.setattr(client, "CONFIG", once)
    monkeypatch.setattr(calls, "PAUSES_S", ())
    store: Store = open_store(s3_url)
    store.put("x", b"12345678")
    for fault in (Fault("error", 500), Fault("cut"), Fault("drop"), Fault("lost")):
        proxy.plan([fault])
        with pytest.raises(TunerError):
            store.get("x")
    assert store.get("x") == b"12345678"


def test_a_server_that_is_away_is_waited_for(s3_url: str, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens at the address for a while, as when a server is restarted."""
    port = free_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    store = open_store(s3_url, known=True)
    proxy = FaultProxy(s3_server.endpoint, port)
    timer = threading.Timer(3.0, proxy.__enter__)
    timer.start()
    try:
        store.put("x", b"1")
        assert len(proxy.requests) == 1
    finally:
        timer.join()
        proxy.__exit__(None, None, None)
