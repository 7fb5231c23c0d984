"""A table that other packages can add rows to: what comes with this package, what installed ones bring, what was added.

The rows of this package are declared by modules of higher layers, which are imported on the first look at a table. So
a low layer can ask what a metric is without knowing who computes it.
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
    """A row: its name is what recipes, files and commands call it."""

    @property
    def name(self) -> str:
        """Lower-case letters, digits and underscores."""
        ...


Row = TypeVar("Row", bound=Named)


class Registry(Mapping[str, Row], Generic[Row]):
    """Rows by name, in the order of their declaration; read it like a dictionary.

    Args:
        what: what a row is, in a word, for errors.
        kind: the type of the rows.
        group: the entry-point group in which installed packages name rows of theirs.
        home: the module whose import declares the rows of this package, by `declare`.
    """

    def __init__(self, what: str, kind: type[Row], *, group: str, home: str) -> None:
        self.what, self.kind, self.group = what, kind, group
        self._home = home
        self._rows: dict[str, Row] = {}
        self._built_in: set[str] = set()
        self._is_loaded, self._lock = False, threading.RLock()

    def declare(self, *rows: Row) -> None:
        """Enter rows of this package; nobody can replace them."""
        for row in rows:
            self._rows[row.name] = row
            self._built_in.add(row.name)

    def add(self, row: Row) -> Row:
        """Enter a row of somebody else, in this process; a second one of the same name replaces the first.

        Returns:
            The row.

        Raises:
            UsageError: it is no such row, its name is no name, or this package has a row of that name.
        """
        self._load()
        if fault := self._fault(row):
            raise UsageError(*fault)
        self._rows[row.name] = row
        return row

    def remove(self, name: str) -> None:
        """Take out a row that was added.

        Raises:
            KeyError: none of that name was added.
        """
        if name in self._built_in:
            raise KeyError(name)
        del self._rows[name]

    def added(self) -> dict[str, Row]:
        """The rows that do not come with this package."""
        return {name: row for name, row in self.items() if name not in self._built_in}

    def __getitem__(self, name: str) -> Row:
        """The row of that name."""
        self._load()
        return self._rows[name]

    def __iter__(self) -> Iterator[str]:
        """The names."""
        self._load()
        return iter(tuple(self._rows))

    def __len__(self) -> int:
        """The number of rows."""
        self._load()
        return len(self._rows)

    def _load(self) -> None:
        """Import what declares rows, once."""
        with self._lock:
            if self._is_loaded:
                return
            self._is_loaded = True
            import_module(self._home)
            for entry in sorted(entry_points(group=self.group), key=lambda entry: entry.name):
                self._take(entry)

    def _take(self, entry: EntryPoint) -> None:
        """Enter the row that an installed package names; what is wrong with it must not stop those who do without."""
        try:
            row = entry.load()
            fault = self._fault(row)
            reason = f"{fault[0]}; expected: {fault[1]}" if fault else ""
        except Exception as error:  # whatever a stranger's module raises while it is imported
            reason = f"{type(error).__name__}: {error}"
        if reason:
            package = entry.dist.name if entry.dist else "an installed package"
            warnings.warn(
                f"the {self.what} {entry.name} of {package} is left out ({entry.value}): {reason}. "
                "Update or remove that package",
                stacklevel=2,
            )
        else:
            self._rows[row.name] = row

    def _fault(self, row: object) -> tuple[str, str, str] | None:
        """What is wrong with a row, what was expected, and what to do."""
        if not isinstance(row, self.kind):
            return f"{row!r:.100} is no {self.what}", f"a {self.kind.__name__}", f"make one by {self.kind.__name__}(..)"
        if not _NAME.fullmatch(row.name):
            expected = "lower-case letters, digits and underscores, a letter first, at most 64"
            return f"the {self.what} {row.name!r:.100} has no such name", expected, "give it another name"
        if row.name in self._built_in:
            return f"a {self.what} {row.name} comes with qpm-tuner", "a name of its own", "give it another name"
        return None
