"""Extract the feature bank of a recipe into a store, without a search."""

import argparse
import sys

from jobs.command import run
from jobs.output import progress
from jobs.parsing import STORE_HELP, Parser, add_recipe, make_parser

EXAMPLES = """  qpm-tuner extract --recipe cub50 --store runs
  qpm-tuner extract --recipe folder --store runs data.root=photos data.masks=masks"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES, search=False)
    made.add_argument("--store", default="runs", help=STORE_HELP)
    add_recipe(made, required=True)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given, tells=True)


def body(arguments: argparse.Namespace) -> int:
    """Extract, and print the bank's key."""
    told = progress(stderr=True)
    with told.step("loading libraries"):
        from tuner.recipe import load_recipe
        from tuner.search.execute.banks import ensure_bank
        from tuner.store import Artifacts, open_store

    recipe = load_recipe(arguments.recipe, arguments.overrides)
    print(ensure_bank(Artifacts(open_store(arguments.store)), recipe, told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
