"""A table that other packages can add rows to: what comes with this package, what installed ones bring, what was added.

The rows of this package are declared by modules of higher layers, which are imported on the first look at a table. So
a low layer can ask what a metric is without knowing who computes it.
"""

import re
import threading
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, Protocol, TypeVar

from tuner.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_HERE = threading.local()  # whether this thread imports an installed package for one of the tables


def _importing() -> bool:
    return getattr(_HERE, "importing", False)


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an installed package"


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
        taken: names that mean something else where rows are named, so that no row may have them.
    """

    def __init__(self, what: str, kind: type[Row], *, group: str, home: str, taken: Collection[str] = ()) -> None:
        self.what, self.kind, self.group = what, kind, group
        self._home, self._taken = home, frozenset(taken)
        self._rows: dict[str, Row] = {}
        self._built_in: set[str] = set()
        self._by_package: set[str] = set()
        self._is_loaded, self._lock = False, threading.Lock()

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
        import_module(self._home)
        if fault := self._fault(row):
            raise UsageError(*fault)
        with self._lock:
            if not _importing():
                self._by_package.discard(row.name)
                self._rows[row.name] = row
            elif row.name not in self._rows:  # of two packages the first keeps the name, as in `_enter`
                self._by_package.add(row.name)
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
        self._by_package.discard(name)

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
        """Import what declares rows, once.

        Modules are imported without holding the lock, since another thread may hold the lock of such an import and ask
        for this table. A package that is being imported here may name rows of several tables: its entries are read
        after the import.
        """
        if self._is_loaded:
            return
        import_module(self._home)
        if _importing():
            return
        entries = sorted(entry_points(group=self.group), key=lambda entry: (entry.name, _package(entry)))
        found = [(entry, *self._read(entry)) for entry in entries]
        with self._lock:
            faults = [] if self._is_loaded else self._enter(found)
            self._is_loaded = True
        for fault in faults:
            warnings.warn(f"{fault}. Update or remove that package", stacklevel=4)

    def _read(self, entry: EntryPoint) -> tuple[Row | None, str]:
        """The row that an installed package names, or what is wrong with it."""
        _HERE.importing = True
        try:
            row = entry.load()
            fault = self._fault(row)
        except (Exception, SystemExit) as error:  # a package may raise anything while it is imported
            return None, f"{type(error).__name__}: {error}"
        finally:
            _HERE.importing = False
        return (None, f"{fault[0]}; expected: {fault[1]}") if fault else (row, "")

    def _enter(self, found: Iterable[tuple[EntryPoint, Row | None, str]]) -> list[str]:
        """Enter the rows of installed packages; a faulty one must not stop a search that does without it.

        Returns:
            A sentence about each that is left out.
        """
        owners: dict[str, tuple[str, Row]] = {}
        faults = []
        for entry, row, wrong in found:
            fault = wrong
            if row is not None:
                owner, first = owners.setdefault(row.name, (_package(entry), row))
                if first is not row:
                    fault = f"{owner} has a {self.what} {row.name}, too; expected: a name of its own"
                elif row.name not in self._rows or row.name in self._by_package:
                    self._by_package.add(row.name)
                    self._rows[row.name] = row
            if fault:
                faults.append(f"the {self.what} {entry.name} of {_package(entry)} is left out ({entry.value}): {fault}")
        return faults

    def _fault(self, row: object) -> tuple[str, str, str] | None:
        """What is wrong with a row, what was expected, and what to do."""
        if not isinstance(row, self.kind):
            return f"{row!r:.100} is no {self.what}", f"a {self.kind.__name__}", f"make one by {self.kind.__name__}(..)"
        if not isinstance(row.name, str) or not _NAME.fullmatch(row.name):
            expected = "lower-case letters, digits and underscores, a letter first, at most 64"
            return f"the {self.what} {row.name!r:.100} has no such name", expected, "give it another name"
        if row.name in self._taken:
            taken = f"another name than {', '.join(sorted(self._taken))}"
            return f"the {self.what} is named {row.name}, which means something else", taken, "rename it"
        if row.name in self._built_in:
            return f"a {self.what} {row.name} comes with qpm-tuner", "a name of its own", "give it another name"
        return None
