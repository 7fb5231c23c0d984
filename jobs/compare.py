"""Measure the front on test beside the linear probe, the dense models and random assignments, on the same bank."""

import argparse
import sys

from jobs.command import home_of, run
from jobs.output import print_json, progress, terminal
from jobs.parsing import Parser, add_json, make_parser

EXAMPLES = """  qpm-tuner compare --store runs --name digits
  qpm-tuner compare --store runs --name digits --json"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES)
    add_json(made)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given, tells=True)


def body(arguments: argparse.Namespace) -> int:
    """Run the missing baselines, and print the table."""
    told = progress(stderr=True)
    with told.step(f"reading search {arguments.name!r}"):
        from tuner.search.outcome.baselines import compare, comparison_table

        home = home_of(arguments)
    rows = compare(home, told)
    if arguments.json:
        print_json(rows)
    else:
        terminal().print(comparison_table(rows), soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
