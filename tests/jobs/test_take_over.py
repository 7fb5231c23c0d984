"""`jobs.search` and a search that somebody else has: who it is, and `--take-over`."""

import json
from pathlib import Path

import pytest

from jobs import search
from tuner.store import Lease, open_store

BIRDS = ("--name", "birds", "--recipe", "folder", "data.root=/nowhere/images")  # so it ends once it has the lease


def held_by(root: Path, **more: object) -> None:
    said = {"holder": "a driver elsewhere", "since": "noon", "token": "t", "ttl_s": 1e12, "term": 4} | more
    open_store(root).put("searches/birds/lease.json", json.dumps(said).encode())


def test_a_search_is_taken_over_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held_by(tmp_path)
    assert search.main(["--store", str(tmp_path), *BIRDS, "--take-over"]) == 1
    told = capsys.readouterr()
    assert "taking the search over from a driver elsewhere, which has held it since noon" in told.out
    assert "ignored" in told.out
    assert "/nowhere/images" in told.err, "it got as far as that"


def test_a_living_driver_is_named_with_what_can_be_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QPM_TUNER_LEASE_S", "2")
    with Lease(open_store(tmp_path), "birds", "a driver elsewhere", 2.0):
        assert search.main(["--store", str(tmp_path), *BIRDS]) == 1
    told = capsys.readouterr()
    assert "waiting for a driver elsewhere" in told.out
    assert "is held by a driver elsewhere" in told.err
    assert "--take-over" in told.err


def test_a_lifetime_that_cannot_be_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QPM_TUNER_LEASE_S", "forever")
    assert search.main(["--store", str(tmp_path), *BIRDS]) == 2
    assert "QPM_TUNER_LEASE_S is 'forever'" in capsys.readouterr().err
