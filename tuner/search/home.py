"""Where a search lives: its recipe, ledger and derived files under `searches/<name>/` of a store."""

import importlib.metadata
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from tuner import __version__
from tuner.errors import TunerError, UsageError
from tuner.front import pareto, uncertainty
from tuner.front.pareto import Objective, Point
from tuner.recipe import Recipe, difference, objectives_of, parse_recipe
from tuner.recipe.nodes import LONGEST, drop
from tuner.recipe.stored import read_parts
from tuner.search.plan import CODE_VERSIONS
from tuner.search.records import SearchState, replay, tally
from tuner.secrets import hide
from tuner.store import Artifacts, Ledger, MissingKey, Store, check_name

VERSIONED = ("ray", "torch", "optuna", "mlflow", "pyscipopt", "numpy", "scikit-learn", "schedulefree")


@dataclass
class SearchHome:
    """One search in a store.

    Attributes:
        store: the store it lives in.
        name: its name.
    """

    store: Store
    name: str
    artifacts: Artifacts = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.name = check_name(self.name)
        self.artifacts = Artifacts(self.store)
        self.ledger = Ledger(self.store, self.name)

    def key(self, file: str) -> str:
        """The store key of one of the search's files."""
        return f"searches/{self.name}/{file}"

    def address(self, file: str) -> str:
        """Where one of the search's files is, for people: a path, or the store's URL."""
        return str(self.store.local_path(self.key(file)) or f"{self.store.url}/{self.key(file)}")

    def exists(self) -> bool:
        """Whether the search has been started."""
        return self.store.stat(self.key("recipe.yaml")) is not None

    def start(self, recipe: Recipe, bank: str) -> None:
        """Write the recipe as resolved, once and for all."""
        content = {"recipe": recipe.to_dict(), "bank": bank, "versions": versions(), "code": CODE_VERSIONS}
        self.store.put_new(self.key("recipe.yaml"), yaml.safe_dump(content, sort_keys=False).encode())

    def stored(self) -> tuple[Recipe, str]:
        """The recipe the search was started with, without MLflow's address, and the key of its feature bank.

        Raises:
            UsageError: if there is no such search.
        """
        content = self._content()
        node, is_old = content["recipe"], self._is_of_other_code(content)
        if is_old:  # read, for nothing more is run; what it says may be refused by now
            drop(node, "assign", "warm_start")
        drop(node, "tracking", "uri")
        return parse_recipe(node, source=f"the recipe of {self.name}", checked=not is_old), content["bank"]

    def stored_address(self) -> str:
        """Where MLflow was when the search was started, for people: whoever writes to the store could change it."""
        tracking = parse_recipe(self._content()["recipe"], source=f"the recipe of {self.name}", checked=False).tracking
        return hide(tracking.uri) if tracking.enabled else ""

    def require_this_code(self) -> None:
        """Refuse to run stages for a search whose trials were made by stages that gave other results.

        Raises:
            UsageError: naming the stages.
        """
        content = self._content()
        if self._is_of_other_code(content):
            old = content["code"] or dict.fromkeys(CODE_VERSIONS, 1)
            changed = [f"{s} {old.get(s, 'unknown')}, now {n}" for s, n in CODE_VERSIONS.items() if old.get(s) != n]
            raise UsageError(
                f"the stages of search {self.name!r} gave other results when it started (code {'; '.join(changed)})",
                "trials of one code version, since others cannot be compared with them",
                f"start a new search: --name NEW, with --from {self.name} if its features are still the same; "
                "this one can still be read",
            )

    def _is_of_other_code(self, content: dict[str, Any]) -> bool:
        return bool(content["code"] != CODE_VERSIONS)

    def versions(self) -> dict[str, str]:
        """Versions of what shaped the results when the search was started."""
        return dict(self._content()["versions"])

    def _bytes(self) -> bytes:
        """The stored recipe, unless it is far too large for one."""
        key = self.key("recipe.yaml")
        if (found := self.store.stat(key)) is not None and found.size > LONGEST:
            raise UsageError(f"it has {found.size:,} bytes", f"at most {LONGEST:,}", "restore it")
        return self.store.get(key)

    def _content(self) -> dict[str, Any]:
        try:
            return read_parts(self._bytes().decode())
        except MissingKey:
            known = searches(self.store)
            raise UsageError(
                f"no search {self.name!r} in {self.store.url}",
                f"one of {', '.join(known)}" if known else "a store with searches",
                "check --store and --name, or start it with jobs.search --recipe",
            ) from None
        except (UsageError, ValueError) as error:
            cause = error.what if isinstance(error, UsageError) else "it is no text in UTF-8"
            raise TunerError(
                f"{self.address('recipe.yaml')} is damaged ({cause})",
                "the recipe as it was written when the search started",
                "restore the file, or start the search again under another --name: its stages are reused",
            ) from None

    def refuse_changes(self, old: Recipe, new: Recipe) -> None:
        """Refuse to carry on with another recipe.

        Raises:
            UsageError: showing what changed.
        """
        changes = difference(old.to_dict(), new.to_dict())
        if changes:
            self.require_this_code()  # else a preset's new default would look like a change by the user
            raise UsageError(
                f"the recipe of search {self.name!r} has changed:\n    " + "\n    ".join(changes),
                "the recipe it was started with (budget, resources, tracking and paths may change)",
                f"drop the changes, or start a new search that learns from it: --name NEW --from {self.name}",
            )

    def state(self) -> SearchState:
        """What the ledger says now."""
        return replay(self.ledger.read())

    def front(self, objectives: Sequence[Objective] | None = None, state: SearchState | None = None) -> "FrontView":
        """The front for the search's own objectives or others, as the ledger has it now or as `state` says."""
        if objectives is None:
            objectives = objectives_of(self.stored()[0])
        return FrontView.of(self.name, state or self.state(), objectives)


@dataclass(frozen=True)
class FrontView:
    """A front and what surrounds it, as `jobs.front --json` prints it.

    Standard errors of its values are in percentage points; `programs` has each member's program, None where unknown.
    """

    search: str
    objectives: tuple[Objective, ...]
    hypervolume: float
    counts: dict[str, int]
    members: list[Point]
    ranks: dict[int, int]
    programs: dict[int, dict[str, Any] | None] = field(default_factory=dict)

    @classmethod
    def of(cls, search: str, state: SearchState, objectives: Sequence[Objective]) -> "FrontView":
        """The front of a state; trials that lack an objective are left out."""
        points = state.points(objectives)
        ranked = zip(points, pareto.ranks(points, objectives), strict=True)
        members = pareto.front(points, objectives)
        return cls(
            search,
            tuple(objectives),
            pareto.hypervolume(points, objectives),
            state.counts(),
            members,
            {point.trial: rank for point, rank in ranked},
            {member.trial: state.trials[member.trial].program for member in members},
        )

    def to_dict(self) -> dict[str, Any]:
        """The one JSON document of a front."""
        return {
            "search": self.search,
            "objectives": {o.name: o.direction for o in self.objectives},
            "hypervolume": self.hypervolume,
            "trials": self.counts,
            "members": [
                {
                    "trial": m.trial,
                    "params": m.params,
                    "values": m.values,
                    "model": m.model,
                    "errors": uncertainty.errors(m.values),
                    "program": self.programs.get(m.trial),
                }
                for m in self.members
            ],
        }

    def to_json(self) -> bytes:
        """As bytes for the store."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False).encode()


def searches(store: Store) -> list[str]:
    """Names of the searches in a store."""
    return sorted({key.split("/")[1] for key in store.list("searches/") if key.endswith("/recipe.yaml")})


def versions() -> dict[str, str]:
    """Versions of what shapes the results."""
    found = {name: importlib.metadata.version(name) for name in VERSIONED}
    return {"qpm-tuner": __version__, "python": platform.python_version(), **found}


def open_home(store: Store, name: str) -> SearchHome:
    """A search that must exist.

    Raises:
        UsageError: if it does not.
    """
    home = SearchHome(store, name)
    if not home.exists():
        home.stored()
    return home


def require_points(view: FrontView) -> None:
    """Refuse to go on without any finished trial.

    Raises:
        TunerError: if the front is empty.
    """
    if not view.members and (complete := view.counts.get("complete")):
        raise TunerError(
            f"none of the {complete} complete trials of search {view.search!r} has a finite value of all of "
            f"{', '.join(objective.name for objective in view.objectives)}",
            "at least one that has",
            "choose other objectives; jobs.front --objectives shows a front of any",
        )
    if not view.members:
        raise TunerError(
            f"search {view.search!r} has no complete trial yet ({tally(view.counts) or 'nothing has ended'})",
            "at least one complete trial",
            "see jobs.status for causes, and let the search run on: jobs.search with the same --store and --name",
        )
