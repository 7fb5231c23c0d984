"""Start a search, or carry on with it: the same command does both."""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from jobs.command import parser, recipe_names, run, terminal
from tuner.base.progress import ConsoleProgress
from tuner.errors import UsageError
from tuner.search.driver.interrupts import EXIT_CODE

if TYPE_CHECKING:
    from tuner.search.watch.result import SearchResult

# Set by Ray in the processes of a submitted job.
RAY_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"
EXAMPLES = """  python -m jobs.search --recipe digits --store runs --name digits
  python -m jobs.search --recipe digits --store runs --name digits --trials 32     (more of the same search)
  python -m jobs.search --recipe cub50 --store s3://bucket/qpm --name birds budget.parallel=4
  python -m jobs.search --recipe digits --store runs --name wider --from digits 'space.width={choices: [64, 128]}'"""


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    made = parser(__file__, __doc__, EXAMPLES)
    made.add_argument("--recipe", help=f"one of {recipe_names()}, or a YAML file; may be left out to carry on")
    made.add_argument("--trials", type=int, help="trials in all; a larger number than before carries on with more")
    made.add_argument("--from", dest="learn_from", metavar="OLD", help="learn from the trials of another search")
    made.add_argument(
        "--take-over",
        action="store_true",
        help="take the search at once from whoever drives it",
    )
    made.add_argument("--help-recipe", action=HelpRecipe, nargs=0, help="list every field of a recipe and exit")
    made.add_argument("overrides", nargs="*", metavar="key=value", help="overrides of the recipe")
    return run(made, body, arguments, tells=True)


def body(arguments: argparse.Namespace) -> int:
    """Run the search and say where everything is."""
    console = terminal()
    progress = ConsoleProgress(console)
    if RAY_JOB in os.environ and "://" not in arguments.store and not Path(arguments.store).is_absolute():
        raise UsageError(
            f"--store {arguments.store} of a Ray job lies in the job's working folder and goes with it",
            "a store that outlives the job",
            "give s3://bucket/prefix, or an absolute path that all nodes reach",
        )
    console.print(f"search {arguments.name!r} in {arguments.store}", markup=False, highlight=False, soft_wrap=True)
    with progress.step("loading libraries"):
        from tuner.recipe import load_recipe, parse_recipe
        from tuner.search.driver.run import SearchRequest, run_request
        from tuner.search.record.home import open_home
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
    request = SearchRequest(store, arguments.name, recipe, arguments.trials, arguments.learn_from, arguments.take_over)
    result = run_request(request, progress, arguments.interrupts)
    print_end(result, console)
    return EXIT_CODE if result.interrupted else 0


def print_end(result: "SearchResult", console: Console) -> None:
    """How the search ended, where everything is, and what to type next."""
    from tuner.search.watch.summary import end_text, places

    console.print(end_text(result), soft_wrap=True)
    home, ended = result.home, sum(result.state.counts().values())
    address = f"--store {home.store.url} --name {home.name}"
    lines = places(result)
    lines["pick a model"] = f"python -m jobs.pick {address} --knee --export picked"
    lines["more trials"] = f"python -m jobs.search {address} --trials {2 * max(ended, 1)}"
    for name, place in lines.items():
        console.print(f"{name:14}{place}", markup=False, highlight=False, soft_wrap=True)


class HelpRecipe(argparse.Action):
    """Prints every field of a recipe with default and meaning."""

    def __call__(self, *_: object) -> None:
        """Print and exit."""
        from tuner.base.tables import Column, FittedTable
        from tuner.recipe import describe_fields

        rows = describe_fields()
        columns = [
            Column("field", [key for key, _, _ in rows], words=True, narrowest=40),
            Column("default", [repr(default) for _, default, _ in rows], words=True, narrowest=18),
            Column("meaning", [meaning for _, _, meaning in rows], words=True, narrowest=28),
        ]
        terminal().print(FittedTable(columns), soft_wrap=True)
        sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
