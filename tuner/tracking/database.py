"""Creates and upgrades MLflow's sqlite file atomically, one process at a time.

MLflow creates and migrates its tables in hundreds of small steps. A process that dies between two of them leaves a file
that no later MLflow can open. So all of it happens in a temporary file, which replaces the original atomically.
"""

import os
import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote, unquote

from tuner.base.locks import Waiting
from tuner.errors import TunerError
from tuner.store.disk import explained, locked

LOCK_PATIENCE_S = 2.0
MAKING_PATIENCE_S = 60.0
BOOKKEEPING = ("alembic_version", "experiments", "experiment_tags", "workspaces")  # may have rows in an unused database
# The temporary file need not survive a crash, and is created four times faster this way.
_HASTY = "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY"
_SIDES = ("-journal", "-wal", "-shm")


def sqlite_path(uri: str) -> Path | None:
    """The absolute path of an `sqlite:///file` address, None for other addresses.

    As in MLflow, `?` ends the file name and `%3F` encodes one; a leading `~` is the home folder.
    """
    match = re.match(r"sqlite(\+pysqlite)?:///([^?]+)", uri)
    name = unquote(match[2]) if match else ":memory:"
    if name.startswith((":memory:", "file:")):
        return None
    return Path(os.path.expanduser(name)).absolute()  # noqa: PTH111  which keeps ~ if there is no home folder


def sqlite_uri(path: Path) -> str:
    """The address of an sqlite file, with special characters of its name encoded."""
    return "sqlite:///" + str(path.absolute()).replace("%", "%25").replace("?", "%3F")


def absolute(uri: str) -> str:
    """The address independent of the working directory; only sqlite addresses can be relative."""
    path, (_, mark, options) = sqlite_path(uri), uri.partition("?")
    return uri if path is None else f"{sqlite_uri(path)}{mark}{options}"


def check_file(path: Path) -> None:
    """Check within seconds whether a database can be used; MLflow itself would try for 100 s.

    Raises:
        TunerError: the file is locked, not writable, or not a database.
    """
    with explained_for(path):
        if path.exists():
            _revision(path)


def make_whole(path: Path, artifacts: str) -> None:
    """Create or upgrade the tables that this MLflow needs; on failure the file stays unchanged.

    A new file is renamed into place. An older database is upgraded. One that cannot be upgraded, such as a partially
    created one, is recreated if it contains no user data.

    Args:
        path: the database; it need not exist.
        artifacts: artifact location of MLflow's default experiment.

    Raises:
        TunerError: the file is locked, not a database, or has tables that this MLflow cannot read.
    """
    path = Path(os.path.realpath(path))
    with explained("make", path), explained_for(path):
        if _is_whole(path):
            return
        with alone(path):
            if not _is_whole(path):  # otherwise another process was faster
                _make(path, artifacts)


def _is_whole(path: Path) -> bool:
    from mlflow.store.db.utils import _get_latest_schema_revision

    return path.exists() and _revision(path) == _get_latest_schema_revision()


def _make(path: Path, artifacts: str) -> None:
    with _drafts(path) as new_draft:
        draft = new_draft()
        if not path.exists():
            _bring_up_to_date(draft, artifacts)
            for side in _SIDES:  # left by a deleted file; sqlite would roll back the new one with it
                path.with_name(path.name + side).unlink(missing_ok=True)
            if path.exists():
                raise sqlite3.OperationalError("another program created it meanwhile")
            draft.rename(path)
            return
        with closing(open_database(path)) as live:
            seen = live.execute("PRAGMA data_version").fetchone()
            with closing(sqlite3.connect(draft)) as copy:
                live.backup(copy)
            try:
                _bring_up_to_date(draft, artifacts)
            except Exception as error:  # alembic, SQLAlchemy and MLflow each raise their own
                if table := _table_in_use(live):
                    raise _unreadable(path, table, error) from error
                draft = new_draft()
                _bring_up_to_date(draft, artifacts)
            if live.execute("PRAGMA data_version").fetchone() != seen:
                raise sqlite3.OperationalError("another program wrote to it while its tables were upgraded")
            _put(draft, live)


def _bring_up_to_date(draft: Path, artifacts: str) -> None:
    """Create or migrate the tables in a file that no other process uses."""
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy import event

    engine = create_sqlalchemy_engine(sqlite_uri(draft))
    event.listen(engine, "connect", lambda database, _: database.executescript(_HASTY))
    try:
        _initialize_tables(engine)
    finally:
        engine.dispose()
    SqlAlchemyStore(sqlite_uri(draft), artifacts).engine.dispose()  # adds the default experiment
    with draft.open("rb") as file:
        os.fsync(file.fileno())


def _put(draft: Path, live: sqlite3.Connection) -> None:
    """Replace a database's contents in one transaction, so that other readers see the old or the new state."""
    deadline_s = time.monotonic() + LOCK_PATIENCE_S

    def give_up(status: int, remaining: int, total: int) -> None:
        if remaining and time.monotonic() > deadline_s:
            raise sqlite3.OperationalError("database is locked")

    with closing(sqlite3.connect(draft)) as new:
        new.backup(live, progress=give_up)


def _table_in_use(database: sqlite3.Connection) -> str | None:
    """A table with user data, or None."""
    found = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in found:
        if name not in BOOKKEEPING and not name.startswith(("sqlite_", "_alembic_tmp_")):
            quoted = '"' + name.replace('"', '""') + '"'
            if database.execute(f"SELECT 1 FROM {quoted} LIMIT 1").fetchone():
                return str(name)
    return None


def _revision(path: Path) -> str | None:
    """The schema version; None if MLflow has not created its tables (yet)."""
    with closing(open_database(path)) as database:
        database.execute("BEGIN IMMEDIATE")
        names = database.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
        found = database.execute("SELECT version_num FROM alembic_version").fetchall() if names[0] else []
        database.execute("ROLLBACK")
    return str(found[0][0]) if len(found) == 1 else None


def open_database(path: Path) -> sqlite3.Connection:
    """A connection to an existing file, with explicit transactions."""
    address = f"file:{quote(str(path))}?mode=rw"  # does not create a file
    return sqlite3.connect(address, uri=True, timeout=LOCK_PATIENCE_S, isolation_level=None)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock for creating this database; it is released when the process ends."""
    deadline_s = time.monotonic() + MAKING_PATIENCE_S
    waiting = Waiting(path.with_name(f".{path.name}.lock"))
    while True:
        with locked(waiting.path, wait=False) as ours:
            if ours:
                waiting.end()
                yield
                return
        waiting.go_on()
        if time.monotonic() > deadline_s:
            raise sqlite3.OperationalError(f"another process has been creating its tables for {MAKING_PATIENCE_S:g} s")
        time.sleep(0.05)


@contextmanager
def _drafts(path: Path) -> Iterator[Callable[[], Path]]:
    """Names for temporary files beside the file; all are removed at the end, including those of killed processes."""
    prefix = f".{path.name}.draft-"

    def clear() -> None:
        for left in path.parent.iterdir():
            if left.name.startswith(prefix):
                left.unlink()

    clear()
    try:
        yield lambda: path.with_name(prefix + secrets.token_hex(8))
    finally:
        clear()


@contextmanager
def explained_for(path: Path) -> Iterator[None]:
    """Turn sqlite's errors about a file into error messages for the user."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise TunerError(
            f"{path} cannot be used by MLflow: {error}",
            "an sqlite file that no other program keeps locked, in a writable folder",
            "end the program that uses it, or give MLflow another file; the search continues meanwhile",
        ) from error
    except sqlite3.DatabaseError as error:
        raise TunerError(
            f"{path} cannot be read by MLflow: {error}",
            "an sqlite database created by MLflow",
            "move the file away; the next start of the search recreates it from the ledger",
        ) from error


def _unreadable(path: Path, table: str, error: Exception) -> TunerError:
    cause = str(error).strip().partition("\n")[0]
    return TunerError(
        f"{path} has incomplete tables or those of another MLflow, and they cannot be upgraded: {cause}",
        f"tables of this MLflow version; an empty database would be recreated, but '{table}' has rows",
        "it was not changed: move it away, or give MLflow another file (tracking.uri); the next start fills that one "
        "from the ledger",
    )
