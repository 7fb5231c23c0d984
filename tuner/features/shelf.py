"""Where finished pieces of a bank are kept, each under the hash of what makes it: in a store, or in a folder."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tuner.base.untrusted import read_json
from tuner.features.bank_files import META, write_json

FOLDERS = ("shards", "fits", "mask_facts")  # kinds of pieces


class Shelf(Protocol):
    """Artifacts by kind and key; those of a store are one (`tuner.store.Artifacts`)."""

    def find(self, kind: str, key: str, /) -> object | None:
        """Something with the attribute `meta`, as it was published, if the artifact is there; else None."""
        ...

    def publish(self, kind: str, key: str, folder: Path, meta: dict[str, Any], /) -> object:
        """Keep a copy of the folder's files as the artifact, whole or not at all; the first publisher wins."""
        ...

    def fetch(self, kind: str, key: str, /) -> Path:
        """A local folder with the artifact's files, to be read only."""
        ...


@dataclass(frozen=True)
class Shelved:
    """A piece that is there."""

    meta: dict[str, Any]


class FolderShelf:
    """Pieces in a folder, for a bank that belongs to no store.

    Args:
        folder: of the bank.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, kind: str, key: str, /) -> Shelved | None:
        """What was said of it, if it is there."""
        place = self.folder / kind / key
        return Shelved(read_json(place / META)) if place.is_dir() else None

    def publish(self, kind: str, key: str, folder: Path, meta: dict[str, Any], /) -> Path:
        """Move the files into place; they have been synced by their writer, so the rename comes after them."""
        place = self.folder / kind / key
        place.parent.mkdir(parents=True, exist_ok=True)
        draft = place.parent / f".{key}.{os.getpid()}.tmp"
        shutil.rmtree(draft, ignore_errors=True)
        shutil.copytree(folder, draft, copy_function=_moved)
        write_json(draft / META, meta)
        try:
            draft.rename(place)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            if not place.is_dir():
                raise
        return place

    def fetch(self, kind: str, key: str, /) -> Path:
        """Its folder."""
        return self.folder / kind / key


def _moved(source: str, target: str) -> None:
    """A hard link where the disk is the same, else a copy."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
