"""Extensible registries: built-in entries, entries of installed packages, and entries added at run time.

The built-in entries are declared by modules of higher layers, which are imported on first access. So a low layer can
look up a metric without importing the code that computes it.
"""

import re
import threading
import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, Protocol, TypeVar

from tuner.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Named(Protocol):
    """An entry; recipes, files and commands refer to it by name."""

    @property
    def name(self) -> str:
        """Lower-case letters, digits and underscores."""
        ...


Row = TypeVar("Row", bound=Named)


class Registry(Mapping[str, Row], Generic[Row]):
    """A read-only mapping of entries by name, in the order of declaration.

    Args:
        what: what an entry is, for error messages.
        kind: type of the entries.
        group: entry point group in which installed packages declare entries.
        home: module whose import declares the built-in entries, by `declare`.
    """

    def __init__(self, what: str, kind: type[Row], *, group: str, home: str) -> None:
        self.what, self.kind, self.group = what, kind, group
        self._home = home
        self._rows: dict[str, Row] = {}
        self._built_in: set[str] = set()
        self._is_loaded, self._lock = False, threading.RLock()

    def declare(self, *rows: Row) -> None:
        """Add built-in entries, which cannot be replaced."""
        for row in rows:
            self._rows[row.name] = row
            self._built_in.add(row.name)

    def add(self, row: Row) -> Row:
        """Add an entry in this process; it replaces an earlier added entry of the same name.

        Returns:
            The entry.

        Raises:
            UsageError: it has the wrong type, its name is invalid, or a built-in entry has the same name.
        """
        self._load()
        if fault := self._fault(row):
            raise UsageError(*fault)
        self._rows[row.name] = row
        return row

    def remove(self, name: str) -> None:
        """Remove an added entry.

        Raises:
            KeyError: no entry of that name was added.
        """
        if name in self._built_in:
            raise KeyError(name)
        del self._rows[name]

    def added(self) -> dict[str, Row]:
        """All entries that are not built in."""
        return {name: row for name, row in self.items() if name not in self._built_in}

    def __getitem__(self, name: str) -> Row:
        """The entry of that name."""
        self._load()
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        """The names."""
        self._load()
        return iter(tuple(self._rows))

    def __len__(self) -> int:
        """The number of entries."""
        self._load()
        return len(self._rows)

    def _load(self) -> None:
        """Import the modules that declare entries, once."""
        with self._lock:
            if self._is_loaded:
                return
            self._is_loaded = True
            import_module(self._home)
            for entry in sorted(entry_points(group=self.group), key=lambda entry: entry.name):
                self._take(entry)

    def _take(self, entry: EntryPoint) -> None:
        """Add the entry of an installed package; a faulty one is skipped with a warning, since few need it."""
        try:
            row = entry.load()
            fault = self._fault(row)
            reason = f"{fault[0]}; expected: {fault[1]}" if fault else ""
        except Exception as error:  # third-party modules may raise anything on import
            reason = f"{type(error).__name__}: {error}"
        if reason:
            package = entry.dist.name if entry.dist else "an installed package"
            warnings.warn(
                f"the {self.what} {entry.name} of {package} is ignored ({entry.value}): {reason}. "
                "Update or remove that package",
                stacklevel=2,
            )
        else:
            self._rows[row.name] = row

    def _fault(self, row: object) -> tuple[str, str, str] | None:
        """What is wrong with an entry, what was expected, and what to do."""
        if not isinstance(row, self.kind):
            return f"{row!r:.100} is not a {self.what}", f"a {self.kind.__name__}", f"use {self.kind.__name__}(...)"
        if not _NAME.fullmatch(row.name):
            expected = "at most 64 lower-case letters, digits and underscores, starting with a letter"
            return f"the {self.what} name {row.name!r:.100} is not valid", expected, "choose another name"
        if row.name in self._built_in:
            return f"qpm-tuner has a built-in {self.what} {row.name}", "an unused name", "choose another name"
        return None
