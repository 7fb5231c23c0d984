"""What a write has returned from survives a power cut: file, name and new folders are on the disk, in this order."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuner.store import Ledger, local, open_store

Call = tuple[str, Path]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """What is asked of the system, in order: ("sync", path) and ("name", path)."""
    found: list[Call] = []

    def spied(name: str, note: Callable[..., Call]) -> None:
        real = getattr(os, name)

        def call(*arguments: Any, **more: Any) -> Any:
            result = real(*arguments, **more)
            found.append(note(*arguments))
            return result

        monkeypatch.setattr(os, name, call)

    spied("fsync", lambda descriptor: ("sync", Path(f"/proc/self/fd/{descriptor}").readlink()))
    spied("link", lambda _, to, **__: ("name", Path(to)))
    spied("replace", lambda _, to: ("name", Path(to)))
    spied("rename", lambda _, to: ("name", Path(to)))
    spied("mkdir", lambda path, *_: ("name", Path(path)))
    return found


def assert_durable(calls: list[Call], path: Path, root: Path) -> None:
    """The draft's bytes, then its name, then the folder that holds it; and each folder that is new."""
    named = max(place for place, call in enumerate(calls) if call == ("name", path))
    beside = [
        where.parent == path.parent and where.name.startswith(".") for _, where in calls
    ]  # others' threads write too
    drafts = [place for place, (what, _) in enumerate(calls) if what == "sync" and beside[place]]
    assert drafts, "the bytes"
    assert drafts[-1] < named, "the bytes are there before the name"
    assert ("sync", path.parent) in calls[named:], "the name"
    folder = path.parent
    while folder != root:
        if ("name", folder) in calls:
            assert ("sync", folder.parent) in calls[calls.index(("name", folder)) :], f"the name of {folder}"
        folder = folder.parent


def writes(tmp_path: Path) -> dict[str, Callable[[local.LocalStore], object]]:
    source = tmp_path / "source"
    source.write_bytes(b"x")

    def again(store: local.LocalStore) -> object:
        store.put_new("a/b/c", b"1")
        stat = store.stat("a/b/c")
        assert stat is not None
        return store.replace("a/b/c", b"2", stat.version)

    return {
        "put": lambda store: store.put("a/b/c", b"1"),
        "put_new": lambda store: store.put_new("a/b/c", b"1"),
        "replace": again,
        "upload": lambda store: store.upload(source, "a/b/c"),
    }


@pytest.mark.parametrize("action", ["put", "put_new", "replace", "upload"])
@pytest.mark.parametrize("links", [True, False])
def test_a_write_is_durable_when_it_returns(
    tmp_path: Path, calls: list[Call], action: str, links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:

        def refuse(*_: object) -> None:
            raise PermissionError(1, "no hard links here")

        monkeypatch.setattr(Path, "hardlink_to", refuse)
    root = tmp_path / "new" / "store"
    store = local.LocalStore(root)
    writes(tmp_path)[action](store)
    assert_durable(calls, root / "a" / "b" / "c", tmp_path)
    made = {where for what, where in calls if what == "name"}
    assert {tmp_path / "new", root, root / "a", root / "a" / "b"} <= made
    for _ in range(2):  # and in folders that are there already
        calls.clear()
        store.delete("a/b/c")
        writes(tmp_path)[action](store)
        assert_durable(calls, root / "a" / "b" / "c", tmp_path)


def test_an_event_is_durable_when_append_returns(tmp_path: Path, calls: list[Call]) -> None:
    ledger = Ledger(open_store(tmp_path), "digits")
    for number in range(3):
        calls.clear()
        ledger.append({"number": number})
        (path,) = [where for what, where in calls if what == "name" and where.suffix == ".json"]
        assert_durable(calls, path, tmp_path)


def test_a_file_system_that_cannot_sync_folders_is_lived_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def sync(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().is_dir():
            raise OSError(22, "Invalid argument")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", sync)
    store = open_store(tmp_path)
    store.put("a/b", b"1")
    assert store.get("a/b") == b"1"
