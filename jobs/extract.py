"""Extract the feature bank of a recipe into a store, without a search."""

import argparse
import sys

from jobs.command import parser, recipe_names, run, terminal
from tuner.base.progress import ConsoleProgress

EXAMPLES = """  python -m jobs.extract --recipe cub50 --store runs
  python -m jobs.extract --recipe folder --store runs data.root=photos data.masks=masks"""


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    made = parser(__file__, __doc__, EXAMPLES, search=False)
    made.add_argument("--store", default="runs", help="folder or s3://bucket/prefix (default: runs)")
    made.add_argument("--recipe", required=True, help=f"one of {recipe_names()}, or a YAML file")
    made.add_argument("overrides", nargs="*", metavar="key=value", help="overrides of the recipe")
    return run(made, body, arguments, tells=True)


def body(arguments: argparse.Namespace) -> int:
    """Extract, and print the bank's key."""
    progress = ConsoleProgress(terminal(stderr=True))
    with progress.step("loading libraries"):
        from tuner.recipe import load_recipe
        from tuner.search.execute.banks import ensure_bank
        from tuner.store import Artifacts, open_store

    recipe = load_recipe(arguments.recipe, arguments.overrides)
    print(ensure_bank(Artifacts(open_store(arguments.store)), recipe, progress))
    return 0


if __name__ == "__main__":
    sys.exit(main())
