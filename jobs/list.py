"""List the searches of a store: state, trials, front, best values, time spent, last event, current driver."""

import argparse
import sys
import time

from jobs.command import run
from jobs.output import print_json, terminal
from jobs.parsing import STORE_HELP, Parser, add_json, make_parser
from tuner.base.steps import duration
from tuner.base.tables import Column, FittedTable
from tuner.search.watch.listing import SearchLine, list_lines
from tuner.search.watch.texts import heading, number
from tuner.store import open_store

EXAMPLES = """  qpm-tuner list --store runs
  qpm-tuner list --store s3://bucket/qpm --json"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES, search=False)
    made.add_argument("--store", default="runs", help=STORE_HELP)
    add_json(made)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given)


def body(arguments: argparse.Namespace) -> int:
    """Print a line for each search."""
    store = open_store(arguments.store)
    found = list_lines(store)
    if arguments.json:
        print_json({"store": store.url, "searches": [line.to_json() for line in found]})
    elif not found:
        print(f"no search in {store.url}; qpm-tuner search starts one")
    else:
        terminal().print(FittedTable(columns(found)), soft_wrap=True)
    return 0


def columns(found: list[SearchLine]) -> list[Column]:
    """The table; each search shows the objectives it has."""
    best = [", ".join(f"{heading(name)} {number(value)}" for name, value in line.best.items()) for line in found]
    made = [
        Column("search", [line.name for line in found], weight=9, words=True),
        Column("data", [line.data for line in found], weight=5, words=True),
        Column("state", [line.state for line in found], weight=8),
        Column("trials", [f"{line.ended}/{line.budget or '?'}" for line in found], weight=8),
        Column("front", [str(line.front) for line in found], weight=5),
        Column("best", best, weight=6, words=True, narrowest=20),
        Column("time", [duration(line.elapsed_s) for line in found], weight=3),
        Column("last event", [_date(line.last_event_s) for line in found], weight=7),
        Column("driver", [line.driver for line in found], weight=4, words=True),
    ]
    if any(line.damaged for line in found):
        made.append(Column("damaged", [str(line.damaged) for line in found], weight=3))
    return made


def _date(last_s: float | None) -> str:
    return "never" if last_s is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(last_s))


if __name__ == "__main__":
    sys.exit(main())
