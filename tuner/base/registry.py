"""Extensible registries: built-in entries, entries of installed packages, and entries added at run time.

The built-in entries are declared by modules of higher layers, which are imported on first access. So a low layer can
look up a metric without importing the code that computes it.
"""

import re
import threading
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, Protocol, TypeVar

from tuner.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_HERE = threading.local()  # whether this thread imports an installed package for one of the tables


def _importing() -> bool:
    return getattr(_HERE, "importing", False)


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist else "an installed package"


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
        taken: names that mean something else elsewhere, so that no entry may have them.
    """

    def __init__(self, what: str, kind: type[Row], *, group: str, home: str, taken: Collection[str] = ()) -> None:
        self.what, self.kind, self.group = what, kind, group
        self._home, self._taken = home, frozenset(taken)
        self._rows: dict[str, Row] = {}
        self._built_in: set[str] = set()
        self._by_package: set[str] = set()
        self._is_loaded, self._lock = False, threading.Lock()

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
        """Remove an added entry.

        Raises:
            KeyError: no entry of that name was added.
        """
        if name in self._built_in:
            raise KeyError(name)
        del self._rows[name]
        self._by_package.discard(name)

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
        """Import the modules that declare entries, once.

        Modules are imported without holding the lock, since another thread may hold the lock of such an import and read
        this registry. A package that is being imported here may declare entries of several registries: they are read
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
        """The entry that an installed package declares, or what is wrong with it."""
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
        """Add the entries of installed packages; a faulty one is skipped, since few searches need it.

        Returns:
            A sentence about each that is skipped.
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
                faults.append(f"the {self.what} {entry.name} of {_package(entry)} is ignored ({entry.value}): {fault}")
        return faults

    def _fault(self, row: object) -> tuple[str, str, str] | None:
        """What is wrong with an entry, what was expected, and what to do."""
        if not isinstance(row, self.kind):
            return f"{row!r:.100} is not a {self.what}", f"a {self.kind.__name__}", f"use {self.kind.__name__}(...)"
        if not isinstance(row.name, str) or not _NAME.fullmatch(row.name):
            expected = "at most 64 lower-case letters, digits and underscores, starting with a letter"
            return f"the {self.what} name {row.name!r:.100} is not valid", expected, "choose another name"
        if row.name in self._taken:
            taken = f"another name than {', '.join(sorted(self._taken))}"
            return f"the {self.what} is named {row.name}, which means something else", taken, "rename it"
        if row.name in self._built_in:
            return f"qpm-tuner has a built-in {self.what} {row.name}", "an unused name", "choose another name"
        return None


class Configured(Named, Protocol):
    """An entry that is chosen and configured by a section of a recipe."""

    @property
    def settings(self) -> type:
        """The dataclass of its settings."""
        ...


Kind = TypeVar("Kind", bound=Configured)


def kind_of(config: Any, kinds: Mapping[str, Kind], section: str) -> Kind:
    """The entry that settings name.

    Args:
        config: the settings, with a `name`.
        kinds: the entries.
        section: where the settings stand in a recipe, such as `data`.

    Raises:
        UsageError: there is no such entry, or its settings are of another class.
    """
    if config.name not in kinds:
        raise UsageError(f"{section}.name={config.name}", ", ".join(kinds), "choose one of them")
    kind = kinds[config.name]
    if not isinstance(config, kind.settings):
        own = kind.settings.__name__
        raise UsageError(
            f"{section}.name={config.name} with settings of the class {type(config).__name__}",
            f"settings of the class {own}",
            f"use {own}(name={config.name!r}, ...)",
        )
    return kind
