"""Starting and opening searches from Python: what `import tuner` offers."""

import copy
import logging
import os
import threading
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuner.base.process_state import unchanged_process
from tuner.base.progress import LogProgress, Progress
from tuner.errors import UsageError
from tuner.recipe import Recipe, check_recipe, load_recipe, parse_recipe
from tuner.search import arguments
from tuner.search.driver.finished import as_it_stands
from tuner.search.record.home import SearchHome, open_home, searches
from tuner.search.search import Search
from tuner.store import Store

AnyRecipe = Recipe | Mapping[str, Any] | Path | str

_RUNNING = threading.Lock()  # environment, signal handlers and Ray are those of the process, so one search at a time


def run_search(
    recipe: AnyRecipe | None = None,
    *,
    store: Store | Path | str,
    name: str,
    trials: int | None = None,
    progress: Progress | None = None,
    learn_from: str | Search | Iterable[str | Search] | None = None,
    take_over: bool = False,
) -> Search:
    """Start a search, or continue it: the same call does both. Returns when it is complete.

    The first Ctrl-C (in a notebook: "interrupt") stops gently: running stages finish, completed work is kept, and the
    search is returned with `interrupted` set. A second one raises KeyboardInterrupt. A Ray that this process has
    initialised is used and left running. Otherwise a private Ray is started on this machine, or the cluster at
    RAY_ADDRESS is joined, until the end. Environment, signal handlers and log levels are restored afterwards.

    Args:
        recipe: name of a preset such as "digits", path of a YAML file, nested dictionary, or `Recipe`; None: the one
            the search was started with.
        store: a folder or "s3://bucket/prefix".
        name: the search's name.
        trials: total number of trials; more than before extends the search. None: the recipe's number.
        progress: receives progress; None: a notebook, a terminal, or else standard logging (logger `tuner`, INFO).
        learn_from: another search in the same store whose trials the proposals learn from, or its name, or several.
        take_over: take the search over from another driver at once, instead of waiting for its end.

    Raises:
        UsageError: the recipe or another argument is wrong, the recipe has changed, there is neither a recipe nor a
            search, or another search runs in this process.
        LeaseHeldError: another driver holds the search, or took it over.
        TunerError: it cannot run; completed work is kept.
    """
    from tuner.base.notebook import usual_progress

    telling = arguments.reporting(progress, usual_progress)
    place = arguments.opened(store)
    others = _teachers(learn_from, place, arguments.text(name, "name", "digits"))
    trials = None if trials is None else arguments.whole(trials, "trials", 16)
    asked = _asked(recipe, place, name, trials)
    if not (others or take_over):
        found = as_it_stands(SearchHome(place, name, telling.warn), asked, trials)
        if found is not None:
            return Search(found.home)
    if not _RUNNING.acquire(blocking=False):
        todo = "wait for its end, or start this one in a process of its own"
        raise UsageError(f"search {name!r} while another one runs", "one running search per process", todo)
    try:
        return _run(place, name, asked, trials, others, take_over, telling)
    finally:
        _RUNNING.release()


def _run(
    place: Store,
    name: str,
    asked: Recipe | None,
    trials: int | None,
    others: Sequence[str],
    take_over: bool,
    telling: Progress,
) -> Search:
    """Load the libraries and run the search, in a process that is the same afterwards."""
    widgets = logging.getLogger("ray.widgets")
    with unchanged_process():
        widgets.setLevel(logging.WARNING)  # Ray warns about missing ipywidgets, which is not needed here
        with telling.step("loading libraries"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "IProgress not found")  # from tqdm, whose bars are not shown in notebooks
            from tuner.search.driver.interrupts import Interrupts
            from tuner.search.driver.run import SearchRequest, run_request

        request = SearchRequest(place, name, asked, trials, others, take_over)
        with unchanged_process(), Interrupts() as interrupts:  # again, for changes made by the imported libraries
            result = run_request(request, telling, interrupts)
    if result.ended_by_limit:
        telling.say(result.ended_by_limit)
    return Search(result.home, interrupted=result.interrupted)


def open_search(store: Store | Path | str, name: str) -> Search:
    """Open an existing search for reading.

    Raises:
        UsageError: there is no search of that name in the store.
    """
    return Search(open_home(arguments.opened(store), arguments.text(name, "name", "digits"), LogProgress().warn))


def list_searches(store: Store | Path | str) -> list[str]:
    """Names of the searches in a store, sorted."""
    return searches(arguments.opened(store))


def _teachers(learn_from: object, place: Store, name: str) -> list[str]:
    """The names of the searches to learn from.

    Raises:
        UsageError: one is in another store, or is the search itself.
    """
    if learn_from is None:
        return []
    if isinstance(learn_from, str | Search) or not isinstance(learn_from, Iterable):
        return [_teacher(learn_from, place, name)]
    return [_teacher(one, place, name) for one in learn_from]


def _teacher(learn_from: object, place: Store, name: str) -> str:
    if isinstance(learn_from, Search) and learn_from.store != place.url:
        what = f"search {learn_from.name!r} is in {learn_from.store}, and this one in {place.url}"
        raise UsageError(what, "two searches in one store", "copy it into this store, or leave out learn_from")
    other = arguments.text(learn_from.name if isinstance(learn_from, Search) else learn_from, "learn_from", "digits")
    if other == name:
        raise UsageError(f"search {name!r} is to learn from itself", "another search", "leave out learn_from")
    open_home(place, other)  # refused before this search is started
    return other


def _asked(recipe: AnyRecipe | None, store: Store, name: str, trials: int | None) -> Recipe | None:
    """The recipe to run, checked and independent of the caller's; None: the stored one as it is.

    Raises:
        UsageError: it is wrong.
    """
    if recipe is None and trials is None:
        return None
    asked = open_home(store, name).stored()[0] if recipe is None else _as_recipe(recipe)
    if trials is not None:
        asked.budget.trials = trials
        check_recipe(asked)
    return asked


def _as_recipe(given: AnyRecipe) -> Recipe:
    if isinstance(given, Recipe):
        check_recipe(given)
        return copy.deepcopy(given)
    if isinstance(given, Mapping):
        return _from_dictionary(given)
    if isinstance(given, Path | str):
        return load_recipe(os.fspath(given))
    what = f"the recipe is of type {type(given).__name__}"
    raise UsageError(what, "a name, a path, a dictionary or a tuner Recipe", 'give one, such as "digits"')


def _from_dictionary(given: Mapping[str, Any]) -> Recipe:
    import yaml

    try:
        text = yaml.safe_dump(arguments.plain(given), sort_keys=False)
    except yaml.YAMLError as error:
        what = f"the recipe's dictionary holds something that is not a setting ({str(error).splitlines()[0]})"
        raise UsageError(what, "texts, numbers, lists and dictionaries", "convert it, such as by float()") from error
    return parse_recipe(text, source="the recipe")
