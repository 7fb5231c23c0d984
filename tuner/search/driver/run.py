"""Running a search: lease, recipe, bank, then one driver's turn; the one function behind `jobs.search`."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console

from tuner.base.private import choose_root, private_temporaries
from tuner.base.steps import told
from tuner.data.load import load_dataset
from tuner.errors import TunerError, UsageError
from tuner.recipe import Recipe
from tuner.search.driver.feasible import refuse_unusable
from tuner.search.driver.interrupts import Interrupts
from tuner.search.driver.leftovers import clear_cache, clear_temporaries
from tuner.search.driver.measurable import refuse_unmeasurable
from tuner.search.driver.turn import Drive
from tuner.search.execute.banks import ensure_bank, publish_bank
from tuner.search.record.holder import is_gone, this_driver
from tuner.search.record.home import SearchHome
from tuner.search.record.restoration import SearchState, TrialRecord
from tuner.search.session.connect import require_ray, scratch_folder
from tuner.search.session.precision import adopt_precision, settle_precision
from tuner.search.watch.mirror import not_asked, passed_over
from tuner.store import Lease, Store
from tuner.store.tenure import LONGEST_TTL_S, usual_ttl_s

# A driver that died on another machine is silent; the next one waits until its lease has run out, however long it is.
WAIT_S = LONGEST_TTL_S + 10.0


@dataclass
class SearchRequest:
    """What a user asked for.

    Attributes:
        store: where the search lives.
        name: its name.
        recipe: the recipe, or None to carry on with the stored one.
        trials: trials in all, or None for the recipe's budget.
        learn_from: name of another search in the store whose trials seed the proposals.
        take_over: take the search from whoever drives it.
    """

    store: Store
    name: str
    recipe: Recipe | None = None
    trials: int | None = None
    learn_from: str | None = None
    take_over: bool = False


@dataclass
class SearchResult:
    """Where a search stands after a driver's turn.

    Attributes:
        home: the search.
        recipe: what was run.
        state: what the ledger says now.
        files: derived files by name, as paths or URLs.
        interrupted: whether the user stopped it.
        already_complete: whether there was nothing left to do.
        ended_by_limit: what people read if the time limit has ended the search; else empty.
        tracking: where the MLflow data are, or what went wrong with them.
    """

    home: SearchHome
    recipe: Recipe
    state: SearchState
    files: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False
    already_complete: bool = False
    ended_by_limit: str = ""
    tracking: str = ""


def run_search(request: SearchRequest, console: Console, interrupts: Interrupts | None = None) -> SearchResult:
    """Start a search, or carry on with it: the same call does both.

    Args:
        request: what to run.
        console: where people read.
        interrupts: who listens to Ctrl-C; without, it raises KeyboardInterrupt as usual.

    Raises:
        LeaseHeld: another driver has the search, or took it over while this one was stopped.
        TunerError: if it cannot run; nothing that had been finished is lost.
    """
    home = SearchHome(request.store, request.name, lambda line: _warn(line, console))
    with contextlib.ExitStack() as held:
        held.enter_context(private_temporaries())
        require_ray(console)
        with told(console, f"opening search {home.name!r} in {home.store.url}"):  # it may wait for another driver
            lease = held.enter_context(_lease(request, console))
        clear_cache(home.artifacts, scratch_folder())
        clear_temporaries(choose_root()[0])
        recipe, bank = _settle_recipe(home, request, console)
        prior = _prior(home, request.learn_from, bank, recipe, console)
        listening = interrupts or Interrupts()
        with contextlib.closing(Drive(home, recipe, bank, prior, console, lease, listening)) as drive:
            complete = drive.complete()
            interrupted = drive.run()
            files, tracking = drive.publish()
            lease.check()
    ended = "" if interrupted else drive.ended_by_limit
    return SearchResult(home, recipe, drive.state, files, interrupted, complete, ended, tracking)


def _warn(line: str, console: Console) -> None:
    console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _lease(request: SearchRequest, console: Console) -> Lease:
    """The right to drive the search; whom it waits for, or takes the search from, is printed."""
    return Lease(
        request.store,
        request.name,
        this_driver(),
        usual_ttl_s(),
        WAIT_S,
        is_gone,
        take_over=request.take_over,
        tell=lambda line: _warn(line, console),
    )


def _settle_recipe(home: SearchHome, request: SearchRequest, console: Console) -> tuple[Recipe, str]:
    """The recipe to run and its bank, made if need be."""
    if home.exists():
        recipe, bank = home.stored()
        if request.recipe is not None:
            asked = adopt_precision(request.recipe, recipe)
            home.refuse_changes(recipe, asked)
            asked.space = recipe.space  # in the order in which it was started, for proposals depend on it
            recipe = asked
        if home.artifacts.find("banks", bank) is None:
            home.require_this_code()
            with told(console, "comparing the images with those of the start"):
                from tuner.features.extract import BankSource

                source = BankSource(recipe.data, recipe.backbone)
                _require_same(source.key, bank, home.name)
            publish_bank(home.artifacts, source, console)
        if recipe.tracking.enabled and (address := passed_over(home, recipe.tracking)):
            console.print(not_asked(address), style="yellow", markup=False, soft_wrap=True)
    else:
        if request.recipe is None:
            raise UsageError(
                f"no search {home.name!r} in {home.store.url}", "a recipe to start it with", "add --recipe digits"
            )
        with told(console, f"reading the data: {request.recipe.data.name}"):
            dataset = load_dataset(request.recipe.data)
            refuse_unusable(request.recipe, dataset)
            refuse_unmeasurable(request.recipe, dataset)
        bank = ensure_bank(home.artifacts, request.recipe, console, dataset)
        recipe = settle_precision(request.recipe)
        home.start(recipe, bank)
    if request.trials is not None:
        recipe.budget.trials = request.trials
    return recipe, bank


def _require_same(made: str, stored: str, name: str) -> None:
    if made != stored:
        raise TunerError(
            f"the images, the backbone or the way images are read are not those of search {name!r} any more "
            f"(bank {made[:8]}, was {stored[:8]}, which the store has lost)",
            "the data the search was started with, read in the same way (images: docs/data.md, since bank format 2)",
            "restore the data or the bank, or start a new search with another --name",
        )


def _prior(home: SearchHome, name: str | None, bank: str, recipe: Recipe, console: Console) -> Sequence[TrialRecord]:
    """Finished trials of another search on the same bank and protocol, to learn from."""
    if name is None:
        return ()
    other = SearchHome(home.store, name, home.warn)
    old, old_bank = other.stored()
    if (old_bank, old.protocol, old.validation_fraction) != (bank, recipe.protocol, recipe.validation_fraction):
        raise UsageError(
            f"search {name!r} was measured on other data, another split, or images read in another way",
            "the same data, backbone and protocol, so that its values can be compared",
            "drop --from; stages that agree are reused from the store anyway",
        )
    with told(console, f"reading the trials of search {name!r}"):
        trials = other.state().finished()
    console.print(f"learning from {len(trials)} trials of search {name!r}")
    return trials
