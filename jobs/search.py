"""Start a search, or continue it: the same command does both.

After its last trial it confirms the most promising members of the front: it trains them again with other seeds, which
takes up to as many runs as there were trials. confirm.share=0 leaves that out.
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from jobs.command import run
from jobs.completion import completed, searches
from jobs.output import StampedProgress, progress
from jobs.parsing import Parser, add_recipe, make_parser
from jobs.recipe_help import HelpRecipe
from tuner.base.progress import Progress
from tuner.base.spelling import did_you_mean
from tuner.errors import UsageError
from tuner.search.driver.interrupts import EXIT_CODE

if TYPE_CHECKING:
    from tuner.recipe import Recipe
    from tuner.search.record.home import SearchHome
    from tuner.search.watch.result import SearchResult
    from tuner.store import Store

# Set by Ray in the processes of a submitted job.
RAY_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
EXAMPLES = """  qpm-tuner search --recipe digits --store runs --name digits
  qpm-tuner search --recipe digits --store runs --name digits --dry-run       (what it would take)
  qpm-tuner search --recipe digits --store runs --name digits --trials 80     (more of the same search)
  qpm-tuner search --recipe cub50 --store s3://bucket/qpm --name birds budget.parallel=4
  qpm-tuner search --recipe digits --store runs --name wider --from digits 'space.width={choices: [64, 128]}'"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES)
    add_recipe(made, "; optional when continuing")
    made.add_argument("--trials", type=int, help="total number of trials; more than before extends the search")
    old = made.add_argument(
        "--from",
        dest="learn_from",
        metavar="OLD",
        action="append",
        default=[],
        help="learn from the trials of another search; once for each",
    )
    completed(old, searches)
    made.add_argument(
        "--take-over",
        action="store_true",
        help="take the search over at once from its current driver",
    )
    made.add_argument(
        "--dry-run", action="store_true", help="print what would be run, how long and at what cost; start nothing"
    )
    made.add_argument("--help-recipe", action=HelpRecipe, nargs=0, help="list every field of a recipe and exit")
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given, tells=True)


def body(arguments: argparse.Namespace) -> int:
    """Run the search and say where its files are."""
    told = progress()
    if RAY_JOB in os.environ and "://" not in arguments.store and not Path(arguments.store).is_absolute():
        raise UsageError(
            f"--store {arguments.store} of a Ray job is in the job's working folder, which is deleted with it",
            "a store that outlives the job",
            "give s3://bucket/prefix, or an absolute path that all nodes share",
        )
    told.say(f"search {arguments.name!r} in {arguments.store}")
    from tuner.recipe import load_recipe, parse_recipe
    from tuner.search.driver.finished import as_it_stands
    from tuner.search.record.home import SearchHome, open_home
    from tuner.store import open_store

    store = open_store(arguments.store)
    trials = [] if arguments.trials is None else [f"budget.trials={arguments.trials}"]
    overrides = [*arguments.overrides, *trials]
    recipe = None
    if arguments.recipe is not None:
        recipe = load_recipe(arguments.recipe, overrides)
    elif overrides:
        stored, _ = open_home(store, arguments.name).stored()
        recipe = parse_recipe(stored.to_yaml(), overrides)
    else:
        refuse_unknown(SearchHome(store, arguments.name))
    if arguments.dry_run:
        return print_plan(SearchHome(store, arguments.name, told.warn), recipe, arguments.trials, told)
    result = None
    if not (arguments.learn_from or arguments.take_over):
        result = as_it_stands(SearchHome(store, arguments.name, told.warn), recipe, arguments.trials)
    if result is None:
        result = run_all(arguments, store, recipe, told)
    print_end(result, told.console)
    return EXIT_CODE if result.interrupted else 0


def print_plan(home: "SearchHome", recipe: "Recipe | None", trials: int | None, told: StampedProgress) -> int:
    """Print what a run would do; returns the exit code."""
    from tuner.search.driver.dry_run import dry_run, text

    with told.step("planning"):
        plan = dry_run(home, recipe, trials)
    told.console.print(text(plan), markup=False, highlight=False, soft_wrap=True)
    told.console.print("nothing was started, and nothing written to the store", markup=False, highlight=False)
    return 0


def refuse_unknown(home: "SearchHome") -> None:
    """Refuse to carry on with a search that does not exist, before what takes seconds to load.

    Raises:
        UsageError: there is none of its name; a similar name may have been meant.
    """
    if home.exists():
        return
    from tuner.search.record.home import searches as names_in

    names, todo = names_in(home.store), f"add --recipe digits to start {home.name!r}"
    if names:
        todo = did_you_mean(home.name, names, todo)
    raise UsageError(f"no search {home.name!r} in {home.store.url}", "a recipe to start it with", todo)


def run_all(arguments: argparse.Namespace, store: "Store", recipe: "Recipe | None", told: Progress) -> "SearchResult":
    """Run the remaining trials, and write the derived files."""
    with told.step("loading libraries"):
        from tuner.search.driver.run import SearchRequest, run_request

    request = SearchRequest(store, arguments.name, recipe, arguments.trials, arguments.learn_from, arguments.take_over)
    return run_request(request, told, arguments.interrupts)


def print_end(result: "SearchResult", console: Console) -> None:
    """How the search ended, where its files are, and which commands come next."""
    from tuner.search.cost.draws import draw_points
    from tuner.search.outcome.confirmation_plan import offer
    from tuner.search.watch.summary import end_text, places

    console.print(end_text(result), soft_wrap=True)
    home, ended = result.home, sum(result.state.counts().values())
    address = f"--store {home.store.url} --name {home.name}"
    lines = places(result)
    lines["pick a model"] = f"qpm-tuner pick {address} --knee --export picked"
    if (offered := offer(home, result.recipe, result.state)) is not None:
        seeds, cost = offered
        lines["error bars"] = f"qpm-tuner confirm {address} --seeds {seeds}  ({cost})"
    if len(draw_points(result.recipe, ended + 1)) <= ended:
        lines["more trials"] = f"none: all {ended} points of the space are tried"
    elif home.is_of_this_code() and not (result.interrupted or result.stopped_by or result.ended_by_limit):
        lines["more trials"] = f"qpm-tuner search {address} --trials {2 * max(ended, 1)}"
    for name, told in lines.items():
        place = told.replace(", then ", f"\n{'':14}")  # the command that serves MLflow, and its page
        console.print(f"{name:14}{place}", markup=False, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
