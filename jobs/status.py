"""Show how far a search is: outcomes, front, what was reused."""

import argparse
import sys

from jobs.command import home_of, parser, print_json, run, terminal
from tuner.search.watch.summary import status, status_text

EXAMPLES = """  python -m jobs.status --store runs --name digits
  python -m jobs.status --store runs --name digits --json"""


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    made = parser(__file__, __doc__, EXAMPLES)
    made.add_argument("--json", action="store_true", help="print one JSON document")
    return run(made, body, arguments)


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
