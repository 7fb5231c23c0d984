"""Print the Pareto front of a search; --watch follows it while it runs, from any machine."""

import argparse
import sys

from jobs.command import home_of, run
from jobs.completion import completed, metrics
from jobs.output import print_json, terminal
from jobs.parsing import Parser, add_json, make_parser
from jobs.watching import watch
from tuner.recipe import objectives_of
from tuner.search.watch.following import EVERY_S
from tuner.search.watch.front_table import front_table

EXAMPLES = """  qpm-tuner front --store runs --name digits
  qpm-tuner front --store runs --name digits --json
  qpm-tuner front --store runs --name digits --objectives accuracy features_per_class:min
  qpm-tuner front --store s3://bucket/qpm --name birds --watch        (until the search ends, or Ctrl-C)
  qpm-tuner front --store s3://bucket/qpm --name birds --watch >> birds.log       (a line per change)"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES)
    add_json(made)
    other = "other objectives than the search's own"
    completed(made.add_argument("--objectives", nargs="+", metavar="NAME", help=other), metrics)
    told = "show it again at each change until the search ends; in a pipe a line per change (with --json a document)"
    made.add_argument("--watch", action="store_true", help=told)
    every = f"with --watch: seconds between looks at the store (default: {EVERY_S:g})"
    made.add_argument("--every", type=float, metavar="S", help=every)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given, tells=lambda parsed: bool(parsed.watch))


def body(arguments: argparse.Namespace) -> int:
    """Print the front."""
    home = home_of(arguments, wait=arguments.watch)
    objectives = None
    if arguments.objectives:
        objectives = objectives_of(home.stored()[0], arguments.objectives)
    if arguments.watch or arguments.every is not None:
        return watch(home, objectives, arguments)
    view = home.front(objectives)
    if arguments.json:
        print_json(view.to_dict())
    else:
        terminal().print(front_table(view, home.state()), soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
