"""Measure the front on test beside the linear probe, the dense models and random assignments, on the same bank."""

import argparse
import sys

from jobs.command import home_of, parser, print_json, run, terminal
from tuner.base.progress import ConsoleProgress

EXAMPLES = """  python -m jobs.compare --store runs --name digits
  python -m jobs.compare --store runs --name digits --json"""


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    made = parser(__file__, __doc__, EXAMPLES)
    made.add_argument("--json", action="store_true", help="print one JSON document")
    return run(made, body, arguments, tells=True)


def body(arguments: argparse.Namespace) -> int:
    """Run what is missing, and print the table."""
    progress = ConsoleProgress(terminal(stderr=True))
    with progress.step(f"reading search {arguments.name!r}"):
        from tuner.search.outcome.baselines import compare, comparison_table

        home = home_of(arguments)
    rows = compare(home, progress)
    if arguments.json:
        print_json(rows)
    else:
        terminal().print(comparison_table(rows), soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
