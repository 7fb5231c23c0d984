"""Print the Pareto front of a search."""

import argparse
import sys

from jobs.command import home_of, parser, print_json, run, terminal
from tuner.recipe import objectives_of
from tuner.search.watch.front_table import front_table

EXAMPLES = """  python -m jobs.front --store runs --name digits
  python -m jobs.front --store runs --name digits --json
  python -m jobs.front --store runs --name digits --objectives accuracy features_per_class:min"""


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    made = parser(__file__, __doc__, EXAMPLES)
    made.add_argument("--json", action="store_true", help="print one JSON document")
    made.add_argument("--objectives", nargs="+", metavar="NAME", help="other objectives than the search's own")
    return run(made, body, arguments)


def body(arguments: argparse.Namespace) -> int:
    """Print the front."""
    home = home_of(arguments)
    objectives = None
    if arguments.objectives:
        objectives = objectives_of(home.stored()[0], arguments.objectives)
    view = home.front(objectives)
    if arguments.json:
        print_json(view.to_dict())
    else:
        terminal().print(front_table(view, home.state()), soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
