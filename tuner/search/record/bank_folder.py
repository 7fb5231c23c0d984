"""A bank of a store as a folder on this node: its own files and its shards, brought together by links."""

import contextlib
import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from tuner.base.folders import made_folder
from tuner.errors import TunerError
from tuner.features.bank_files import DESCRIPTION, SHARDS, read_description
from tuner.store import Artifacts, CorruptArtifactError, MissingKeyError
from tuner.store.disk import explained
from tuner.store.store import for_each


def fetch_bank(artifacts: Artifacts, key: str) -> Path:
    """A local folder with the verified files of a bank, as `load_bank` reads it; treat it as read-only.

    Args:
        artifacts: of the store.
        key: of the bank.

    Raises:
        MissingKeyError: there is no such bank.
        CorruptArtifactError: a file does not match its manifest. A damaged shard is removed from the store, so that
            the next extraction makes it anew.
        MalformedError: the bank's description is none.
    """
    own = artifacts.fetch("banks", key)
    shards = read_description(own).shards
    if shards is None:  # of an earlier version: all its files are here
        return own

    def fetched(shard: str) -> Path:
        try:
            return artifacts.fetch("shards", shard)
        except (CorruptArtifactError, MissingKeyError) as error:
            _drop(artifacts, shard)
            raise CorruptArtifactError(
                f"feature bank {key} lacks a part: {error.what}",
                "all its shards, as they were published",
                "run the same search again, which makes the missing part anew",
            ) from error

    names = list(dict.fromkeys(shard for shard, _ in shards))  # equal shards are one
    places = dict(zip(names, for_each(artifacts.store, fetched, names), strict=True))
    return _brought_together(artifacts.cache.folder.parent / "banks", own, places)


def drop_shards(artifacts: Artifacts, key: str) -> None:
    """Remove the shards of a bank whose content is invalid, so that the next extraction makes them anew."""
    with contextlib.suppress(TunerError):
        for shard, _ in read_description(artifacts.fetch("banks", key)).shards or []:
            _drop(artifacts, shard)


def _drop(artifacts: Artifacts, shard: str) -> None:
    with contextlib.suppress(TunerError):  # a store that may only be read
        artifacts.remove("shards", shard)


def _brought_together(root: Path, own: Path, shards: Mapping[str, Path]) -> Path:
    """A folder of links to the bank's files and to the folders of its shards; the same links are one folder."""
    links = {file.name: file for file in sorted(own.iterdir())}
    links |= {f"{SHARDS}/{name}": place for name, place in shards.items()}
    told = "\n".join(f"{name} {target.absolute()}" for name, target in links.items())
    folder = root / hashlib.sha256(told.encode()).hexdigest()[:32]
    if folder.is_dir():
        return folder
    with explained("write", folder):
        _sweep(made_folder(root))
        draft = root / f".{folder.name}.{os.getpid()}"
        shutil.rmtree(draft, ignore_errors=True)
        (draft / SHARDS).mkdir(parents=True)
        for name, target in links.items():
            (draft / name).symlink_to(target.absolute())
        try:
            draft.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(draft, ignore_errors=True)
            if not folder.is_dir():
                raise
    return folder


def _sweep(root: Path) -> None:
    """Remove folders whose bank is no longer on this node."""
    for folder in root.glob("[!.]*"):
        if not (folder / DESCRIPTION).exists():
            shutil.rmtree(folder, ignore_errors=True)
