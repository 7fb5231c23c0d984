"""Fetches a public data set: its archives from the publisher, a mirror or a disk, checked and unpacked.

Downloads lie in `downloads/` below the data set's folder until they are unpacked. `fetched.json` beside it says what
was unpacked: where it was from, its SHA-256, and whether it was the publisher's.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuner.base.files import read_bounded
from tuner.base.locks import take
from tuner.base.plain_json import InvalidJsonError, parse_object
from tuner.base.progress import Progress
from tuner.base.secrets import hide
from tuner.data.official.download import download
from tuner.data.official.places import DOWNLOADS, PACKED, Origin, find_archives
from tuner.data.official.sources import Archive, Source
from tuner.data.official.unpack import unpack
from tuner.errors import TunerError, UsageError

RECORD = "fetched.json"
BLOCK = 2**20  # bytes


@dataclass(frozen=True)
class Fetched:
    """What a call did.

    Attributes:
        unpacked: names of the archives that it unpacked.
        unchecked: names of archives whose content is in the folder, and was not found to be the publisher's.
        absent: names of archives that the data set does without.
    """

    unpacked: tuple[str, ...]
    unchecked: tuple[str, ...]
    absent: tuple[str, ...]


def fetch(
    source: Source, root: Path, places: Sequence[str], progress: Progress, *, check: bool = True, keep: bool = False
) -> Fetched:
    """Make a data set complete in a folder. What is there already is left as it is.

    Args:
        source: the data set.
        root: the folder; created if necessary.
        places: where its archives are, see `find_archives`.
        progress: told what is done.
        check: refuse an archive whose MD5 is not the publisher's.
        keep: keep downloads after they were unpacked.

    Raises:
        UsageError: a place cannot be used.
        TunerError: an archive cannot be had, is not the publisher's, or cannot be unpacked. What was unpacked before
            it stays, as does what was downloaded.
    """
    _refuse_inner(source, root)
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root):
        record = _read_record(root)
        missing = [archive for archive in source.archives if not _is_there(archive, root)]
        origins = find_archives(source, missing, root, places)
        absent = [archive for archive in missing if archive.name not in origins]
        for archive in absent:
            progress.warn(f"without {archive.name}: no {archive.lacking}")
        wanted = [archive for archive in missing if archive not in absent]
        for archive in wanted:
            file = _obtain(source, archive, origins[archive.name], root, progress)
            known = _check(archive, file, hide(str(origins[archive.name])), root, progress, check=check)
            _put(archive, file, root, progress)
            _write_record(root, record := {**record, archive.name: known})
            if _is_download(file, root) and not keep:
                file.unlink()
    there = [archive.name for archive in source.archives if archive not in absent]
    return Fetched(
        tuple(archive.name for archive in wanted),
        tuple(name for name in there if not _was_checked(record.get(name))),
        tuple(archive.name for archive in absent),
    )


def _refuse_inner(source: Source, root: Path) -> None:
    """Refuse the folder of the images in place of the one above it: all would be fetched again, into it."""
    if source.folder and root.name == source.folder and any(_is_there(a, root.parent) for a in source.archives):
        raise UsageError(
            f"{root} is the folder of the images",
            f"the one above it, into which archives are unpacked: {root.parent}",
            f"give `root={root.parent}`",
        )


def _is_there(archive: Archive, root: Path) -> bool:
    """Whether what an archive gives is in a folder."""
    return all((root / path).exists() for path in archive.gives)


def _is_download(file: Path, root: Path) -> bool:
    return file.parent == root / DOWNLOADS


def _obtain(source: Source, archive: Archive, origin: Origin, root: Path, progress: Progress) -> Path:
    """The file of an archive, downloaded if need be."""
    if isinstance(origin, Path):
        return origin
    file = root / DOWNLOADS / archive.name
    names = ", ".join(archive.name for archive in source.archives if not _is_there(archive, root))
    todo = (
        f"try again later, or get {names} by another machine or from a mirror ({source.page}) into a folder, and name "
        f"it: qpm-tuner data fetch {source.name} --root {root} --from FOLDER"
    )
    download(origin, file, progress, todo=todo)
    return file


def _check(archive: Archive, file: Path, origin: str, root: Path, progress: Progress, *, check: bool) -> dict[str, Any]:
    """What is known of a file; one of another sum than its publisher's is refused, and removed if downloaded."""
    with progress.step(f"checking {file.name}"):
        size, md5, sha256 = _digests(file)
    if check and archive.md5 not in ("", md5):
        todo = "get it again, or from elsewhere"
        if _is_download(file, root):
            file.unlink()
            todo = "it was removed: run the same command again, or name another place by `places`"
        raise TunerError(
            f"{origin} is not {archive.name} as its publisher offers it: {size:,} bytes with MD5 {md5}",
            f"MD5 {archive.md5}; a file that is cut off or packed again has another one",
            f"{todo}; if you trust it as it is, add `check=False`",
        )
    return {"from": origin, "bytes": size, "md5": md5, "sha256": sha256, "checked": md5 == archive.md5}


def _put(archive: Archive, file: Path, root: Path, progress: Progress) -> None:
    """Put the content of an archive, or a file that is none, in its place."""
    if archive.name.endswith(PACKED):
        todo = "get it again" if not _is_download(file, root) else f"remove {file} and run the same command again"
        unpack(file, root, archive.gives, progress, todo=todo)
        return
    draft = root / f".{archive.name}.new"
    shutil.copyfile(file, draft)
    draft.replace(root / archive.gives[0])


def _digests(file: Path) -> tuple[int, str, str]:
    """Size in bytes, MD5 and SHA-256 in hexadecimal, of a file that is read once."""
    size, md5, sha256 = 0, hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            size += len(block)
            md5.update(block)
            sha256.update(block)
    return size, md5.hexdigest(), sha256.hexdigest()


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Keep other processes that fetch into the same folder waiting; downloads have a folder meanwhile."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        take(descriptor, root)
        (root / DOWNLOADS).mkdir(exist_ok=True)
        yield
    finally:
        with suppress(OSError):  # what is in it is needed when the same command carries on
            (root / DOWNLOADS).rmdir()
        os.close(descriptor)


def _read_record(root: Path) -> dict[str, Any]:
    with suppress(OSError, InvalidJsonError):
        return parse_object(read_bounded(root / RECORD, 1_000_000))
    return {}


def _write_record(root: Path, record: dict[str, Any]) -> None:
    draft = root / f".{RECORD}.new"
    draft.write_text(json.dumps(record, indent=1) + "\n")
    draft.replace(root / RECORD)


def _was_checked(known: object) -> bool:
    return isinstance(known, dict) and known.get("checked") is True
