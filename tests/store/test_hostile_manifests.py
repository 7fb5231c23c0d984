"""Manifests by somebody else: each odd part of one is told as damage, and no reader waits for ever."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.mutations import attempt, changed, mutations
from tuner.errors import TunerError
from tuner.store import Artifacts, CorruptArtifactError, Manifest, StoreError, open_store


@pytest.fixture
def published(tmp_path: Path) -> Artifacts:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "info.json").write_text("{}")
    (tmp_path / "made" / "model.bin").write_bytes(b"weights")
    artifacts = Artifacts(open_store(str(tmp_path / "store")))
    artifacts.publish("banks", "k", tmp_path / "made", {"seconds": 1.0, "n_classes": 3})
    return artifacts


@pytest.mark.slow
def test_every_odd_part_of_a_manifest_is_told(published: Artifacts, tmp_path: Path) -> None:
    place = Path(published.store.url) / "banks" / "k"
    whole = tmp_path / "whole"
    whole.mkdir()
    shutil.copy(place / "manifest.json", whole)
    faults, refused, tried = [], 0, [m for m in mutations(whole) if ": a " not in m.label and "itself" not in m.label]
    for mutation in tried:
        copy = changed(whole, mutation, tmp_path / "work")
        if not (copy / "manifest.json").is_file():
            continue
        shutil.copy(copy / "manifest.json", place)

        def read() -> object:
            found = Artifacts(published.store).find("banks", "k")
            assert isinstance(found, Manifest)
            return Artifacts(published.store).fetch("banks", "k"), found.told("seconds", float)

        found = attempt(read)
        refused += isinstance(found, TunerError)
        if isinstance(found, BaseException) and not isinstance(found, TunerError):
            faults.append(f"{mutation.label}: {type(found).__name__}: {found}")
        if isinstance(found, TunerError) and not ("banks/k" in found.what and found.what.isprintable()):
            faults.append(f"{mutation.label}: {found.what!r}")
    assert not faults, "\n".join(faults)
    assert refused > 100


@pytest.mark.parametrize(
    "change",
    [
        {"files": {}},
        {"files": {"a": {"sha256": "0" * 64, "size": 1}, "A": {"sha256": "0" * 64, "size": 1}}},
        {"files": {"a": {"sha256": "0" * 64, "size": True}}},
        {"files": {"a": {"sha256": "0" * 64, "size": -1}}},
        {"files": {"a": {"sha256": "../x", "size": 1}}},
        {"meta": [["a", 1]]},
    ],
    ids=str,
)
def test_what_no_publisher_writes_is_damage(published: Artifacts, change: dict[str, object]) -> None:
    raw = json.loads(published.store.get("banks/k/manifest.json")) | change
    published.store.put("banks/k/manifest.json", json.dumps(raw).encode())
    with pytest.raises(CorruptArtifactError, match=r"banks/k/manifest.json"):
        published.find("banks", "k")


def test_a_pipe_in_the_place_of_a_key_is_told_at_once(published: Artifacts) -> None:
    place = Path(published.store.url) / "banks" / "k" / "manifest.json"
    place.unlink()
    os.mkfifo(place)
    found = attempt(lambda: published.find("banks", "k"), 10.0)
    assert isinstance(found, StoreError), found
    assert "not a regular file" in found.what
