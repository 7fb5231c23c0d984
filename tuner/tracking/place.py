"""Artifacts lie beside the sqlite file that names them, wherever its folder was moved or copied to.

MLflow keeps whole addresses of artifacts. A moved folder would lose its own, and a copied one write into the original.
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
# Experiments that a search made: those of other programs stay as they are.
_OURS = (
    "SELECT DISTINCT artifact_location FROM experiments WHERE artifact_location IS NOT NULL AND experiment_id IN"
    " (SELECT experiment_id FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid WHERE tags.key = 'qpm.search')"
)


def anchor(path: Path) -> None:
    """Let all that a search's artifacts were called at the file's former place be called by its place of now.

    Args:
        path: an sqlite file with MLflow's tables, which no server uses.

    Raises:
        TunerError: the file is locked or cannot be written.
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
    """The folder on this machine that an artifact's address names, None for any other address."""
    parts = urlsplit(address)
    if parts.scheme not in ("", "file") or parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        return None
    return Path(unquote(parts.path) if parts.scheme else address)


def refuse_elsewhere(address: str, experiment: str, location: str) -> None:
    """Refuse to write artifacts to where an sqlite file sends them, unless that is a folder such as its own.

    Whoever made the file could name a server that is then sent the user's credentials, or a folder of something else.

    Raises:
        TunerError: naming the address.
    """
    folder = folder_of(address)
    if folder is None or not _FOLDERS & set(folder.parts) or ".." in folder.parts:
        raise TunerError(
            f"experiment '{experiment}' of this sqlite file keeps artifacts at {address}",
            f"a folder {FOLDER} on this machine, such as {location}",
            "give MLflow another file (tracking.uri), or move this one away: the next start makes a new one",
        )


def _former(path: Path, database: sqlite3.Connection | None = None) -> list[str]:
    """The addresses of artifact folders that this file had at other places."""
    if database is None:
        with closing(open_database(path)) as opened:
            return _former(path, opened)
    found = [address for (address,) in database.execute(_OURS)]
    return [address for address in found if (folder := folder_of(address)) and _was_left(folder, path)]


def _was_left(folder: Path, path: Path) -> bool:
    """Whether the file lay beside this folder before, and does so no more; then the folder came along, or is lost."""
    here, there = path.parent / FOLDER, folder.parent / path.name
    if folder.name != FOLDER or folder == here or _is_same(there, path):
        return False
    return here.exists() or there.exists() or not folder.exists()  # else only the file was moved, not its artifacts


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)  # the same folder under another name, such as a link
    except OSError:
        return False


def _rename(database: sqlite3.Connection, old: str, new: str) -> None:
    old = old.rstrip("/")
    for table, column in _COLUMNS:
        database.execute(
            f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} = ? OR substr({column}, 1, ?) = ?",
            (new, len(old) + 1, old, len(old) + 1, f"{old}/"),
        )
