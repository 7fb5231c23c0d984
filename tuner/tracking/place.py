"""Keeps the artifact addresses in an sqlite file valid after its folder was moved or copied.

MLflow stores absolute addresses of artifacts. After a move they would be dangling; a copy would write to the original.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tuner.errors import TunerError
from tuner.tracking.database import alone, explained_for, open_database

FOLDER = "mlartifacts"
_FOLDERS = {FOLDER, "mlruns"}  # MLflow's own name
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
)
# Only experiments created by a search; those of other programs stay unchanged.
_OURS = (
    "SELECT DISTINCT artifact_location FROM experiments WHERE artifact_location IS NOT NULL AND experiment_id IN"
    " (SELECT experiment_id FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid WHERE tags.key = 'qpm.search')"
)


def anchor(path: Path) -> None:
    """Rewrite the artifact addresses of searches from the file's former location to its current one.

    Args:
        path: an sqlite file with MLflow's tables that no server uses.

    Raises:
        TunerError: the file is locked or not writable.
    """
    with explained_for(path):
        if not _former(path):
            return
        with alone(path), closing(open_database(path)) as database:
            database.execute("BEGIN IMMEDIATE")
            for old in _former(path, database):
                _rename(database, old, (path.parent / FOLDER).as_uri())
            database.execute("COMMIT")


def folder_of(address: str) -> Path | None:
    """The local folder of an artifact address, None for any other address."""
    parts = urlsplit(address)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        return None
    return Path(unquote(parts.path) if parts.scheme else address)


def refuse_elsewhere(address: str, experiment: str, location: str) -> None:
    """Refuse artifact locations in an sqlite file, unless they are a local folder with the expected name.

    The author of an untrusted file could name a server, which would then receive the user's credentials, or a folder
    that belongs to something else.

    Raises:
        TunerError: the location is refused.
    """
    folder = folder_of(address)
    if folder is None or not _FOLDERS & set(folder.parts) or ".." in folder.parts:
        raise TunerError(
            f"experiment '{experiment}' of this sqlite file stores artifacts at {address}",
            f"a folder {FOLDER} on this machine, such as {location}",
            "give MLflow another file (tracking.uri), or move this one away: the next start creates a new one",
        )


def _former(path: Path, database: sqlite3.Connection | None = None) -> list[str]:
    """The addresses of artifact folders at former locations of this file."""
    if database is None:
        with closing(open_database(path)) as opened:
            return _former(path, opened)
    found = [address for (address,) in database.execute(_OURS)]
    return [address for address in found if (folder := folder_of(address)) and _was_left(folder, path)]


def _was_left(folder: Path, path: Path) -> bool:
    """Whether the file was moved away from this folder; then the folder was moved along, or is lost."""
    here, there = path.parent / FOLDER, folder.parent / path.name
    if folder.name != FOLDER or folder == here or _is_same(there, path):
        return False
    return here.exists() or there.exists() or not folder.exists()  # else only the file was moved


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)  # the same folder under another path, such as a link
    except OSError:
        return False


def _rename(database: sqlite3.Connection, old: str, new: str) -> None:
    old = old.rstrip("/")
    for table, column in _COLUMNS:
        database.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR substr({column}, 1, ?) = ?",
            (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
        )
