"""The files of a search: recipe, ledger and derived files under `searches/<name>/` of a store."""

import importlib.metadata
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from tuner.base.origin import commit, machine
from tuner.base.secrets import hide
from tuner.base.spelling import did_you_mean, some_of
from tuner.errors import TunerError, UsageError
from tuner.front.confirmation import ErrorBars
from tuner.front.hypervolume import Reference
from tuner.front.pareto import Objective, Point
from tuner.recipe import Recipe, caution, constraints_of, difference, objectives_of, parse_recipe
from tuner.recipe.backbones import searched_backbone
from tuner.recipe.nodes import LONGEST, drop
from tuner.recipe.stored import read_parts
from tuner.search.record.error_bars import error_bars_of, volume_error_of
from tuner.search.record.events import Event
from tuner.search.record.fields import clean
from tuner.search.record.front_view import FrontView
from tuner.search.record.possible import Possible
from tuner.search.record.restoration import SearchState, restore
from tuner.search.record.searched_banks import Bank, SearchedBanks, bank_key
from tuner.search.stages import CODE_VERSIONS, of_a_trial
from tuner.store import Artifacts, Ledger, MissingKeyError, Store, check_name
from tuner.version import __version__

MOST_TOLD = 10  # warnings about one ledger
VERSIONED = ("ray", "torch", "optuna", "mlflow", "pyscipopt", "numpy", "scikit-learn", "schedulefree")


@dataclass
class SearchHome:
    """One search in a store.

    Attributes:
        store: the store it lives in.
        name: its name.
        warn: called once with a line for each ignored entry of the ledger, and for each damaged file.
    """

    store: Store
    name: str
    warn: Callable[[str], None] = field(default=lambda line: None, repr=False, compare=False)
    artifacts: Artifacts = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        self.name = check_name(self.name)
        self.artifacts = Artifacts(self.store)
        self.ledger = Ledger(self.store, self.name)
        self._told: set[str] = set()
        self._recipe: Recipe | None = None
        self._started: tuple[Recipe | None, int] | None = None

    def key(self, file: str) -> str:
        """The store key of one of the search's files."""
        return f"searches/{self.name}/{file}"

    def address(self, file: str) -> str:
        """The location of one of the search's files for display: a path, or the store's URL."""
        return str(self.store.local_path(self.key(file)) or f"{self.store.url}/{self.key(file)}")

    def exists(self) -> bool:
        """Whether the search has been started."""
        return self.store.stat(self.key("recipe.yaml")) is not None

    def start(self, recipe: Recipe, bank: Bank) -> None:
        """Write the resolved recipe; it never changes afterwards."""
        content: dict[str, Any] = {"recipe": recipe.to_dict(), "bank": bank}
        if isinstance(bank, SearchedBanks):
            content |= {"bank": bank.keys[0], "banks": bank.to_json()}
        content |= {"versions": versions(), "code": CODE_VERSIONS}
        content["origin"] = {"commit": commit(), "machine": machine()}
        self.store.put_new(self.key("recipe.yaml"), yaml.safe_dump(content, sort_keys=False).encode())

    def stored(self) -> tuple[Recipe, Bank]:
        """The recipe the search was started with, without MLflow's address, and its feature bank.

        Raises:
            UsageError: if there is no such search.
        """
        content = self._content()
        recipe = self._parsed(content)
        return recipe, self._bank(content, recipe)

    def of_trial(self, params: Mapping[str, Any]) -> tuple[Recipe, str]:
        """The recipe of a trial and the key of its feature bank, from its parameters as the ledger has them."""
        recipe, bank = self.stored()
        at = recipe.at({name: params[name] for name in recipe.space})
        return at, bank_key(bank, at)

    def _bank(self, content: Mapping[str, Any], recipe: Recipe) -> Bank:
        if content["banks"] is None and not searched_backbone(recipe):
            return str(content["bank"])
        try:
            return SearchedBanks.from_json(content["banks"], recipe)
        except UsageError as error:
            raise self._damaged(error.what) from None

    def _parsed(self, content: dict[str, Any], *, address: bool = False) -> Recipe:
        """The recipe in recipe.yaml; its space keeps its order, on which proposals depend."""
        node, is_old = content["recipe"], bool(_changed_code(content))
        if is_old:  # only read, not run: this version may refuse some of its values
            drop(node, "assign", "warm_start")
        if not address:
            drop(node, "tracking", "uri")
        recipe = parse_recipe(node, source=f"the recipe of {self.name}", checked=not (is_old or address))
        if recipe.sampler.lag < 1:  # an earlier version, whose proposals waited for all but so many trials
            recipe.sampler.lag = recipe.budget.parallel
        return recipe

    def stored_address(self) -> str:
        """MLflow's address when the search started, for display only: untrusted, as others may write to the store."""
        tracking = self._parsed(self._content(), address=True).tracking
        return hide(tracking.uri) if tracking.enabled else ""

    def require_this_code(self) -> None:
        """Refuse to continue a search whose stages gave other results in the version that started it.

        Raises:
            UsageError: naming the stages.
        """
        if changed := _changed_code(self._content()):
            raise UsageError(
                f"the stages of search {self.name!r} gave other results when it started (code {'; '.join(changed)})",
                "trials of one code version, since others cannot be compared with them",
                f"start a new search under another name, with `learn_from={self.name}` if its features are still the "
                "same; this one can still be read",
            )

    def is_of_this_code(self) -> bool:
        """Whether its stages give the same results now as when it started."""
        return not _changed_code(self._content())

    def versions(self) -> dict[str, str]:
        """Versions of the software that determined the results when the search started."""
        return {name: clean(str(version)) for name, version in self._content()["versions"].items()}

    def origin(self) -> dict[str, str]:
        """Commit and machine of the driver that started the search; empty for one of an earlier version."""
        found = self._content()["origin"] or {}
        return {clean(str(name)): clean(str(text)) for name, text in found.items() if text}

    def _bytes(self) -> bytes:
        """The stored recipe file, unless it is too large."""
        key = self.key("recipe.yaml")
        if (found := self.store.stat(key)) is not None and found.size > LONGEST:
            raise UsageError(f"it has {found.size:,} bytes", f"at most {LONGEST:,}", "restore it")
        return self.store.get(key)

    def _content(self) -> dict[str, Any]:
        try:
            return read_parts(self._bytes().decode())
        except MissingKeyError:
            known = searches(self.store)
            raise UsageError(
                f"no search {self.name!r} in {self.store.url}",
                f"one of {some_of(known)}" if known else "a store with searches",
                did_you_mean(self.name, known, "check `store` and `name`, or start it with a recipe"),
            ) from None
        except (UsageError, ValueError) as error:
            cause = error.what if isinstance(error, UsageError) else "it is no text in UTF-8"
            raise self._damaged(cause) from None

    def _damaged(self, cause: str) -> TunerError:
        return TunerError(
            f"{self.address('recipe.yaml')} is damaged ({cause})",
            "the recipe as it was written when the search started",
            "restore the file, or start the search again under another name: its stages are reused",
        )

    def refuse_changes(self, old: Recipe, new: Recipe) -> None:
        """Refuse to continue with another recipe.

        Raises:
            UsageError: showing what changed.
        """
        changes = difference(old.to_dict(), new.to_dict())
        if changes:
            self.require_this_code()  # otherwise a preset's new default would look like a change by the user
            raise UsageError(
                f"the recipe of search {self.name!r} has changed:\n    " + "\n    ".join(changes),
                "the recipe it was started with (budget, stopping, confirm, resources, tracking and paths may change)",
                f"drop the changes, or start a new search under another name, which may `learn_from={self.name}`",
            )

    def append(self, event: Event) -> None:
        """Append an event to the ledger; it is durable when this returns."""
        self.ledger.append(event.to_json())

    def state(
        self, recipe: Recipe | None = None, accepted: Callable[[Event], None] = lambda event: None
    ) -> SearchState:
        """The current state of the ledger; invalid entries are ignored and reported through `warn`.

        Args:
            recipe: the current recipe of the search; None: the recipe it was started with.
            accepted: called with each valid event.
        """
        entries = self.ledger.entries()
        state = restore(entries, self._possible(recipe), self.ledger.damaged, accepted, self.ledger.tokens)
        if (asked := recipe or self._recipe) is not None:
            state.constraints = constraints_of(asked)
        pending = [f"{d.key} in {self.store.url}: {d.reason}; {d.then}" for d in state.damage if not d.settled]
        self._tell([*self.ledger.warnings, *pending])
        return state

    def _possible(self, recipe: Recipe | None) -> Possible | None:
        """The constraints on proposals; None if an earlier version made them, by its own rules."""
        if self._started is None:  # never changes, so read once
            try:
                content = self._content()
            except UsageError:  # not started
                return None
            self._recipe = self._parsed(content)
            settled = None if _changed_code(content) else self._recipe
            self._started = settled, self.n_classes(self._bank(content, self._recipe))
        settled, n_classes = self._started
        return None if settled is None else Possible.of(recipe or settled, n_classes)

    def n_classes(self, bank: Bank) -> int:
        """Number of classes of the data; 1 if the bank cannot be read, which is reported elsewhere."""
        if isinstance(bank, SearchedBanks):
            return bank.n_classes
        try:
            manifest = self.artifacts.find("banks", bank)
            return 1 if manifest is None else manifest.told("n_classes", int)
        except TunerError:
            return 1

    def _warn(self, told: str) -> None:
        self._tell([told])

    def _tell(self, warnings: Sequence[str]) -> None:
        """Report the first few new warnings."""
        fresh = [clean(warning) for warning in warnings if warning not in self._told]
        self._told.update(warnings)
        for warning in fresh[:MOST_TOLD]:
            self.warn(warning)
        if (more := len(fresh) - MOST_TOLD) > 0:
            self.warn(f"and {more} more entries of the ledger; qpm-tuner doctor lists all")

    def front(self, objectives: Sequence[Objective] | None = None, state: SearchState | None = None) -> FrontView:
        """The front for the search's own objectives or others, as the ledger has it now or as `state` says."""
        recipe, _ = self.stored()
        axes, now = objectives or objectives_of(recipe), state or self.state()

        def weigh(members: Sequence[Point]) -> dict[int, ErrorBars]:
            return error_bars_of(members, now, axes, recipe.data.split_seed, self.artifacts, self._warn)

        def spread(members: Sequence[Point], reference: Reference) -> float | None:
            return volume_error_of(members, now, axes, recipe.data.split_seed, self.artifacts, self._warn, reference)

        return FrontView.of(self.name, now, axes, weigh, caution(recipe, now.budget, len(now.trials)), spread)


def searches(store: Store) -> list[str]:
    """Names of the searches in a store; a folder with a name that no search can have is none."""
    return begun_and_held(store)[0]


def begun_and_held(store: Store) -> tuple[list[str], list[str]]:
    """Names of the searches in a store, and of those besides that a driver has taken but not begun: both sorted."""
    keys = list(store.list("searches/"))
    begun, held = (
        {name for key in keys if key.endswith(file) and _is_name(name := key.split("/")[1])}
        for file in ("/recipe.yaml", "/lease.json")
    )
    return sorted(begun), sorted(held - begun)


def _is_name(name: str) -> bool:
    try:
        return check_name(name) == name
    except UsageError:
        return False


def versions() -> dict[str, str]:
    """Versions of the software that determines the results."""
    found = {name: importlib.metadata.version(name) for name in VERSIONED}
    return {"qpm-tuner": __version__, "python": platform.python_version(), **found}


def _changed_code(content: dict[str, Any]) -> list[str]:
    """The stages that gave other results when a search started; those of a comparison may have been added since."""
    old = content["code"] or dict.fromkeys(CODE_VERSIONS, 1)
    known = dict.fromkeys([*(stage.name for stage in of_a_trial()), *old])
    versions = {stage: (old.get(stage, "unknown"), CODE_VERSIONS.get(stage, "unknown")) for stage in known}
    return [f"{stage} {then}, now {now}" for stage, (then, now) in versions.items() if then != now]


def open_home(store: Store, name: str, warn: Callable[[str], None] = lambda line: None) -> SearchHome:
    """A search that must exist; `warn` as `SearchHome` takes it.

    Raises:
        UsageError: if it does not.
    """
    home = SearchHome(store, name, warn)
    if not home.exists():
        home.stored()
    return home
