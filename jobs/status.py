"""Show the progress of a search: outcomes, front, reuse."""

import argparse
import sys

from jobs.command import home_of, run
from jobs.output import print_json, terminal
from jobs.parsing import Parser, add_json, make_parser
from tuner.search.watch.summary import status, status_text

EXAMPLES = """  qpm-tuner status --store runs --name digits
  qpm-tuner status --store runs --name digits --json"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES)
    add_json(made)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given)


def body(arguments: argparse.Namespace) -> int:
    """Print the status."""
    home = home_of(arguments)
    if arguments.json:
        print_json(status(home))
    else:
        terminal().print(status_text(home), soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
