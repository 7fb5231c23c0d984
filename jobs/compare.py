"""Compare the systems of the published table over seeds, on a recipe's data or beside the front of a search."""

import argparse
import sys
from typing import TYPE_CHECKING

from jobs.command import home_of, run
from jobs.completion import completed, systems
from jobs.output import print_json, progress, terminal
from jobs.parsing import Parser, add_json, add_recipe, make_parser
from tuner.base.progress import Progress
from tuner.errors import UsageError

if TYPE_CHECKING:
    from tuner.search.systems.rows import Comparison

EXAMPLES = """  qpm-tuner compare --recipe digits --seeds 3
  qpm-tuner compare --recipe cub50 --seeds 3 --systems probe,qpm,random backbone.image_size=224
  qpm-tuner compare --store runs --name digits
  qpm-tuner compare --store runs --name digits --seeds 3 --json"""
ALL = "all"
SEEDS, SEEDS_OF_A_SEARCH = 3, 1


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES, named=False)
    add_recipe(made, ", to compare without a search")
    beside = f"beside a front {SEEDS_OF_A_SEARCH}, the models of the search; more are fresh seeds"
    told = f"number of seeds with which each system is trained (default: {SEEDS}; {beside})"
    made.add_argument("--seeds", type=int, metavar="N", help=told)
    names = f"such as probe,qpm, or {ALL} (default: {ALL}; beside a front probe, qpm and random)"
    completed(made.add_argument("--systems", metavar="NAMES", help=f"systems to compare, {names}"), systems)
    add_json(made)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given, tells=True)


def body(arguments: argparse.Namespace) -> int:
    """Measure what is missing, and print the table."""
    refuse_two(arguments)
    told = progress(stderr=True)
    made = compared(arguments, told)
    if arguments.json:
        print_json(made.to_dict())
    else:
        from tuner.search.systems.text import comparison_text

        terminal().print(comparison_text(made), soft_wrap=True)
    return 0 if any(row.runs for row in made.rows) else 1


def refuse_two(arguments: argparse.Namespace) -> None:
    """Refuse both a recipe and a search, or neither.

    Raises:
        UsageError: naming what is given.
    """
    expected = "either --recipe, to compare systems without a search, or --name, to compare a front with them"
    if arguments.recipe is None and arguments.name is None:
        raise UsageError("neither --recipe nor --name", expected, "add --recipe digits")
    if arguments.recipe is not None and arguments.name is not None:
        raise UsageError(f"--recipe {arguments.recipe} and --name {arguments.name}", expected, "leave out one of them")
    if arguments.overrides and arguments.recipe is None:
        given = ", ".join(arguments.overrides)
        raise UsageError(f"{given} beside --name", "no override: a search has its recipe", "leave it out")


def compared(arguments: argparse.Namespace, told: Progress) -> "Comparison":
    """The comparison that was asked for."""
    with told.step("loading libraries"):
        from tuner.recipe import load_recipe
        from tuner.search.systems.of_recipe import compare_systems
        from tuner.search.systems.of_search import compare
        from tuner.search.systems.table import SYSTEMS
        from tuner.store import open_store

    names = [name.strip() for name in (arguments.systems or "").split(",") if name.strip()]
    names = list(SYSTEMS) if names == [ALL] else names
    if arguments.recipe is None:
        seeds = SEEDS_OF_A_SEARCH if arguments.seeds is None else arguments.seeds
        return compare(home_of(arguments), told, systems=names, seeds=seeds)
    recipe = load_recipe(arguments.recipe, arguments.overrides)
    seeds = SEEDS if arguments.seeds is None else arguments.seeds
    return compare_systems(open_store(arguments.store), recipe, told, systems=names, seeds=seeds)


if __name__ == "__main__":
    sys.exit(main())
