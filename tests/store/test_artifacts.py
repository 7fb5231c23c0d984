"""Artifacts: published whole or not at all, found cheaply, verified when fetched, harmless when published twice."""

import json
import multiprocessing
import pickle
from pathlib import Path

import pytest

from tuner.errors import TunerError, UsageError
from tuner.store import Artifacts, CorruptArtifactError, Manifest, MissingKeyError, Store


def _files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def artifacts(store: Store, tmp_path: Path) -> Artifacts:
    return Artifacts(store, tmp_path / "cache")


def test_round_trip(artifacts: Artifacts, folder: Path) -> None:
    assert artifacts.find("stages/dense", "k1") is None
    manifest = artifacts.publish("stages/dense", "k1", folder, {"epochs": 3})
    assert artifacts.find("stages/dense", "k1") == manifest
    assert manifest.meta == {"epochs": 3}
    assert _files(artifacts.fetch("stages/dense", "k1")) == _files(folder)
    raw = json.loads(artifacts.store.get("stages/dense/k1/manifest.json"))
    assert raw["format"] == 1
    assert raw["kind"] == "stages/dense"
    assert raw["key"] == "k1"
    assert set(raw["files"]["info.json"]) == {"sha256", "size"}
    assert "created" in raw


def test_fetch_of_nothing(artifacts: Artifacts) -> None:
    with pytest.raises(MissingKeyError, match="banks/none"):
        artifacts.fetch("banks", "none")


def test_local_artifacts_are_fetched_in_place(artifacts: Artifacts, folder: Path, tmp_path: Path) -> None:
    artifacts.publish("banks", "k", folder, {})
    inside = artifacts.fetch("banks", "k").is_relative_to(tmp_path / "store")
    assert inside == (artifacts.store.local_path("banks") is not None)
    assert (tmp_path / "cache").exists() != inside


def test_second_publisher_is_harmless(artifacts: Artifacts, folder: Path) -> None:
    first = artifacts.publish("banks", "k", folder, {"by": "first"})
    (folder / "info.json").write_text("other")
    assert artifacts.publish("banks", "k", folder, {"by": "second"}) == first
    assert (artifacts.fetch("banks", "k") / "info.json").read_text() == '{"a": 1}'


def _publish(store: Store, writer: int, folder: str, cache: str) -> None:
    source = Path(folder) / f"source-{writer}"
    source.mkdir()
    for number in range(5):
        (source / f"{number}.bin").write_bytes(bytes([writer]) * 50_000)
    artifacts = Artifacts(store, Path(cache))
    artifacts.publish("banks", "k", source, {"writer": writer})
    winner = artifacts.find("banks", "k").meta["writer"]
    assert set(_files(artifacts.fetch("banks", "k")).values()) == {bytes([winner]) * 50_000}


@pytest.mark.slow
def test_publishers_of_different_content_race_and_one_is_seen(store: Store, tmp_path: Path) -> None:
    """Stages are deterministic only on one machine: files of two publishers must never mix."""
    context = multiprocessing.get_context("spawn")
    arguments = [(store, writer, str(tmp_path), str(tmp_path / f"cache-{writer}")) for writer in range(3)]
    workers = [context.Process(target=_publish, args=each) for each in arguments]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]


def test_interrupted_publisher_leaves_nothing_to_find(
    artifacts: Artifacts, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(key: str, data: bytes) -> bool:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(artifacts.store, "put_new", die)
        with pytest.raises(KeyboardInterrupt):
            artifacts.publish("banks", "k", folder, {})
    assert artifacts.find("banks", "k") is None
    artifacts.publish("banks", "k", folder, {})
    assert _files(artifacts.fetch("banks", "k")) == _files(folder)


@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "manifest"])
def test_corruption_is_named(artifacts: Artifacts, folder: Path, tmp_path: Path, damage: str) -> None:
    manifest = artifacts.publish("banks", "k", folder, {})
    key = f"{manifest.folder}/sub/weights.bin"
    data = artifacts.store.get(key)
    match damage:
        case "flip":
            artifacts.store.put(key, data[:100] + b"!" + data[101:])
        case "cut":
            artifacts.store.put(key, data[:-1])
        case "missing":
            artifacts.store.delete(key)
        case "manifest":
            key = "banks/k/manifest.json"
            artifacts.store.put(key, b'{"format": 1, "files": {')
    fresh = Artifacts(artifacts.store, tmp_path / "fresh")
    with pytest.raises(CorruptArtifactError, match=key):
        fresh.fetch("banks", "k")
    assert not list((tmp_path / "fresh").glob("[!.]*[!t]")), "nothing damaged looks complete in the cache"
    artifacts.remove("banks", "k")
    artifacts.publish("banks", "k", folder, {})
    assert _files(fresh.fetch("banks", "k")) == _files(folder)


@pytest.mark.cluster
def test_damage_in_the_cache_is_repaired_from_the_store(s3_store: Store, folder: Path, tmp_path: Path) -> None:
    Artifacts(s3_store, tmp_path / "cache").publish("banks", "k", folder, {})
    cached = Artifacts(s3_store, tmp_path / "cache").fetch("banks", "k")
    weights = cached / "sub" / "weights.bin"
    weights.write_bytes(b"!" + weights.read_bytes()[1:])
    assert _files(Artifacts(s3_store, tmp_path / "cache").fetch("banks", "k")) == _files(folder)


def test_remove(artifacts: Artifacts, folder: Path) -> None:
    artifacts.publish("banks", "k", folder, {})
    artifacts.publish("banks", "k2", folder, {})
    artifacts.remove("banks", "k")
    artifacts.remove("banks", "k")
    assert artifacts.find("banks", "k") is None
    assert list(artifacts.store.list("banks/k/")) == []
    assert _files(artifacts.fetch("banks", "k2")) == _files(folder)


@pytest.mark.parametrize("name", ["../../escaped", "/etc/cron.d/x", ".hidden", "a/../../b"])
def test_manifest_cannot_name_files_elsewhere(artifacts: Artifacts, folder: Path, name: str) -> None:
    artifacts.publish("banks", "k", folder, {})
    raw = json.loads(artifacts.store.get("banks/k/manifest.json"))
    raw["files"][name] = raw["files"]["info.json"]
    artifacts.store.put("banks/k/manifest.json", json.dumps(raw).encode())
    with pytest.raises(CorruptArtifactError):
        artifacts.fetch("banks", "k")


@pytest.mark.parametrize(
    "change",
    [{"format": 2}, {"files": []}, {"files": {"a": {"sha256": 1, "size": 1}}}, {"key": None}, {"kind": "other"}],
)
def test_manifest_is_checked(artifacts: Artifacts, folder: Path, change: dict[str, object]) -> None:
    artifacts.publish("banks", "k", folder, {})
    raw = json.loads(artifacts.store.get("banks/k/manifest.json")) | change
    artifacts.store.put("banks/k/manifest.json", json.dumps(raw).encode())
    with pytest.raises(TunerError, match=r"banks/k/manifest.json"):
        artifacts.find("banks", "k")


def test_what_cannot_be_published(artifacts: Artifacts, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(UsageError, match="nothing to publish"):
        artifacts.publish("banks", "k", tmp_path / "nothing", {})
    with pytest.raises(UsageError, match="meta"):
        artifacts.publish("banks", "k", folder, {"x": float("nan")})
    (folder / ".hidden").touch()
    with pytest.raises(UsageError, match="hidden"):
        artifacts.publish("banks", "k", folder, {})
    assert artifacts.find("banks", "k") is None


def test_it_travels(artifacts: Artifacts, folder: Path) -> None:
    manifest = artifacts.publish("banks", "k", folder, {})
    assert isinstance(manifest, Manifest)
    assert _files(pickle.loads(pickle.dumps(artifacts)).fetch("banks", "k")) == _files(folder)
