"""Runs a search: lease, recipe, feature bank, then the driver; called by `jobs.search` and `tuner.run_search`."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from tuner.base.private import choose_root, private_temporaries
from tuner.base.progress import Progress
from tuner.data.load import load_dataset
from tuner.data.remote_digests import digests_told
from tuner.errors import TunerError, UsageError
from tuner.features.licences import licence_note
from tuner.recipe import ConfirmConfig, Recipe, caution, check_recipe
from tuner.recipe.backbones import backbone_names, searched_backbone
from tuner.search.driver.adapter_check import refuse_unfit
from tuner.search.driver.checkpoints import clear_checkpoints
from tuner.search.driver.driver import Driver
from tuner.search.driver.finished import remember
from tuner.search.driver.interrupts import Interrupts
from tuner.search.driver.leftovers import clear_cache, clear_temporaries
from tuner.search.driver.objective_check import refuse_unmeasurable
from tuner.search.driver.split_check import refuse_unusable
from tuner.search.driver.unread import unread_line
from tuner.search.execute.banks import bank_source, ensure_bank, on_workers, publish_bank, require_parts
from tuner.search.execute.searched import bank_sources, require_usable_backbones, settle_banks
from tuner.search.propose.first_points import refuse_impossible, why_not_own
from tuner.search.propose.lag import adopt_lag, settle_lag, told_lag
from tuner.search.propose.registry import make_sampler
from tuner.search.record.holder import is_gone, this_driver
from tuner.search.record.home import SearchHome, open_home
from tuner.search.record.searched_banks import Bank
from tuner.search.session.connect import require_ray, scratch_folder
from tuner.search.session.precision import adopt_precision, settle_precision
from tuner.search.watch.mirror import not_asked, passed_over
from tuner.search.watch.result import SearchResult
from tuner.store import Lease, Store
from tuner.store.tenure import LONGEST_TTL_S, usual_ttl_s

# A driver that died on another machine cannot release its lease; the next driver waits until it expires.
WAIT_S = LONGEST_TTL_S + 10.0


@dataclass
class SearchRequest:
    """A user's request.

    Attributes:
        store: where the search lives.
        name: its name.
        recipe: the recipe, or None to continue with the stored one.
        trials: total number of trials, or None for the recipe's budget.
        learn_from: names of other searches in the store whose trials the proposals learn from.
        take_over: take the search over from its current driver.
        confirm: run no trial, and confirm the whole front in this way; None: an ordinary run.
    """

    store: Store
    name: str
    recipe: Recipe | None = None
    trials: int | None = None
    learn_from: Sequence[str] = ()
    take_over: bool = False
    confirm: ConfirmConfig | None = None


def run_request(request: SearchRequest, progress: Progress, interrupts: Interrupts | None = None) -> SearchResult:
    """Start a search, or continue it: the same call does both.

    Args:
        request: what to run.
        progress: receives progress messages.
        interrupts: handles Ctrl-C; None: Ctrl-C raises KeyboardInterrupt as usual.

    Raises:
        LeaseHeldError: another driver holds the search, or took it over while this one was suspended.
        TunerError: it cannot run; finished work is kept.
    """
    home = SearchHome(request.store, request.name, progress.warn)
    with contextlib.ExitStack() as held:
        held.enter_context(private_temporaries())
        require_ray(progress)
        with progress.step(f"opening search {home.name!r} in {home.store.url}"):  # it may wait for another driver
            lease = held.enter_context(_lease(request, progress))
            since_s = request.store.now()
        clear_cache(home.artifacts, scratch_folder())
        clear_temporaries(choose_root()[0])
        for name in request.learn_from:
            open_home(request.store, name)  # refused before anything starts
        recipe, bank = _settle_recipe(home, request, progress, held)
        if told := caution(recipe, recipe.budget.trials, 0):
            progress.warn(told)
        listening = interrupts or Interrupts()
        only_confirm = request.confirm is not None
        place = (home, recipe, bank, request.learn_from, progress, lease, listening)
        made = Driver(*place, only_confirm=only_confirm, since_s=since_s)
        with contextlib.closing(made) as driver:
            _clear_checkpoints(driver)  # what a killed driver has left
            complete = driver.complete()
            interrupted = driver.run()
            files, tracking = driver.publish()
            lease.check()
            _clear_checkpoints(driver)
            if not (interrupted or only_confirm or driver.confirming.left()):
                remember(home, recipe, driver.state, mirrored=driver.shown.whole, asked=driver.asked)
    ended, stopped_by = "" if interrupted else driver.ended_by_limit, driver.stopped_by
    interrupted = interrupted and not stopped_by
    return SearchResult(home, recipe, driver.state, files, interrupted, complete, ended, tracking, stopped_by)


def _clear_checkpoints(driver: Driver) -> None:
    """Remove the checkpoints that nobody needs; if the store refuses, the search goes on all the same."""
    try:
        clear_checkpoints(driver.home, driver.recipe, driver.bank, driver.state)
    except TunerError as error:
        driver.progress.warn(f"checkpoints that nobody needs are still in the store: {error.what}")


def _lease(request: SearchRequest, progress: Progress) -> Lease:
    """The lease of the search; tells the user which driver it waits for or takes the search over from."""
    return Lease(
        request.store,
        request.name,
        this_driver(),
        usual_ttl_s(),
        WAIT_S if request.confirm is None else 0.0,
        is_gone,
        take_over=request.take_over,
        tell=progress.warn,
    )


def _settle_recipe(
    home: SearchHome, request: SearchRequest, progress: Progress, held: contextlib.ExitStack
) -> tuple[Recipe, Bank]:
    """The recipe to run and its feature bank, which is extracted if necessary.

    Where the backbone is searched, the banks are settled only: each is made by the first trial that needs it. On a
    cluster Ray is joined from here on until `held` ends: workers hash the images, and know the backbone.
    """
    recipe, bank = (_stored if home.exists() else _begun)(home, request, progress, held)
    if request.trials is not None:
        recipe.budget.trials = request.trials
    if told := told_lag(recipe):
        progress.warn(told)
    if request.confirm is not None:
        recipe.confirm = request.confirm
        check_recipe(recipe)
    return recipe, bank


def _stored(
    home: SearchHome, request: SearchRequest, progress: Progress, held: contextlib.ExitStack
) -> tuple[Recipe, Bank]:
    """Of a search that has been started."""
    recipe, bank = home.stored()
    if request.recipe is not None:
        asked = adopt_lag(adopt_precision(request.recipe, recipe), recipe)
        home.refuse_changes(recipe, asked)
        asked.space = recipe.space  # in the original order, on which proposals depend
        recipe = asked
    held.enter_context(on_workers(recipe, progress))
    if isinstance(bank, str) and home.artifacts.find("banks", bank) is None:
        home.require_this_code()
        with progress.step("comparing the images with those at the start") as step, digests_told(step):
            source = bank_source(home.artifacts, recipe)
            _require_same(source.key, bank, home.name)
        publish_bank(home.artifacts, source, progress, recipe.resources)
    if recipe.tracking.enabled and (address := passed_over(home, recipe.tracking)):
        progress.warn(not_asked(address))
    return recipe, bank


def _begun(
    home: SearchHome, request: SearchRequest, progress: Progress, held: contextlib.ExitStack
) -> tuple[Recipe, Bank]:
    """Of a new search, which is written to the store once everything that can be refused has been looked at."""
    asked = request.recipe
    if asked is None:
        raise UsageError(
            f"no search {home.name!r} in {home.store.url}", "a recipe to start it with", "add `recipe=digits`"
        )
    require_usable_backbones(asked)
    if told := unread_line(asked):
        progress.say(told)
    held.enter_context(on_workers(asked, progress))
    with progress.step(f"reading the data: {asked.data.name}") as step, digests_told(step):
        dataset = load_dataset(asked.data)
        refuse_unusable(asked, dataset)
        refuse_unmeasurable(asked, dataset)
        refuse_impossible(asked, len(dataset.class_names))
        make_sampler(asked)  # refused here if it does not fit the space
        dataset.pictures.digests()  # of masks, too: a step that tells of it
    with progress.step(f"looking at the backbone: {' and '.join(backbone_names(asked))}"):
        sources = bank_sources(asked, dataset, partial(bank_source, home.artifacts))
        for source in sources:
            refuse_unfit(asked, source.facts)
    if told := why_not_own(asked, len(dataset.class_names)):
        progress.say(told)
    if searched_backbone(asked):
        with progress.step("looking for the features"):
            bank: Bank = (banks := settle_banks(asked, sources))
        for note in dict.fromkeys(filter(None, (licence_note(source.facts.licence) for source in sources))):
            progress.say(note)
        for key in banks.keys:
            require_parts(home.artifacts, asked, dataset, key, progress)
    else:
        bank = ensure_bank(home.artifacts, asked, progress, dataset, sources[0].facts)
    recipe = settle_lag(settle_precision(asked))
    home.start(recipe, bank)
    return recipe, bank


def _require_same(made: str, stored: str, name: str) -> None:
    if made != stored:
        raise TunerError(
            f"the images, the backbone or the way images are read have changed since search {name!r} started "
            f"(bank {made[:8]}, was {stored[:8]}, which is missing from the store)",
            "the data that the search started with, read in the same way (docs/reference/images.md, bank format 2)",
            "restore the data or the bank, or start a new search under another name",
        )
