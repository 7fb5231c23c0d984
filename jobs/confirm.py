"""Repeat the members of the front over more seeds, so that they have error bars: which of them are beyond noise?"""

import argparse
import sys

from jobs.command import home_of, run
from jobs.output import print_json, progress, terminal
from jobs.parsing import Parser, add_json, make_parser
from tuner.search.driver.interrupts import EXIT_CODE

EXAMPLES = """  qpm-tuner confirm --store runs --name digits
  qpm-tuner confirm --store runs --name digits --seeds 5
  qpm-tuner confirm --store runs --name digits --seeds 3 --splits 2 --json"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES)
    seeds = "number of seeds of each member, that of the search included (default: confirm.seeds of the recipe)"
    made.add_argument("--seeds", type=int, metavar="N", help=seeds)
    splits = "number of validation splits of each member, that of the search included (default: confirm.splits)"
    made.add_argument("--splits", type=int, metavar="N", help=splits)
    add_json(made)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given, tells=True)


def body(arguments: argparse.Namespace) -> int:
    """Run what is missing, and print the table."""
    told = progress(stderr=True)
    with told.step(f"reading search {arguments.name!r}"):
        from tuner.search.outcome.confirmation_plan import asked
        from tuner.search.watch.confirmed_table import confirmed_table

        home = home_of(arguments)
        wanted = asked(home, arguments.seeds, arguments.splits)
    with told.step("loading libraries"):
        from tuner.search.driver.run import SearchRequest, run_request
    result = run_request(SearchRequest(home.store, home.name, confirm=wanted), told, arguments.interrupts)
    if result.interrupted:
        told.warn("stopped before all runs had ended; the same command carries on")
    view = home.front(state=result.state)
    if arguments.json:
        print_json(view.to_dict())
    else:
        terminal().print(confirmed_table(view, result.state), soft_wrap=True)
    return EXIT_CODE if result.interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
