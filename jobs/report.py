"""Write the report of a search: one self-contained HTML page."""

import argparse
import sys
from pathlib import Path

from jobs.command import home_of, run
from jobs.output import progress
from jobs.parsing import Parser, make_parser

EXAMPLES = """  qpm-tuner report --store runs --name digits
  qpm-tuner report --store s3://bucket/qpm --name birds --out birds.html"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES)
    made.add_argument("--out", metavar="FILE", help="where to write it (default: into the store)")
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given, tells=True)


def body(arguments: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    told = progress(stderr=True)
    with told.step(f"writing the report of search {arguments.name!r}"):
        from tuner.search.outcome.report import report_page

        home = home_of(arguments)
        page = report_page(home, told).encode()
        if arguments.out:
            Path(arguments.out).write_bytes(page)
        else:
            home.store.put(home.key("report.html"), page)
    print(arguments.out or home.address("report.html"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
