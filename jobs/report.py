"""Write the report of a search: one self-contained HTML page."""

import argparse
import sys
from pathlib import Path

from jobs.command import home_of, parser, run, terminal
from tuner.base.progress import ConsoleProgress

EXAMPLES = """  python -m jobs.report --store runs --name digits
  python -m jobs.report --store s3://bucket/qpm --name birds --out birds.html"""


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    made = parser(__file__, __doc__, EXAMPLES)
    made.add_argument("--out", metavar="FILE", help="where to write it (default: into the store)")
    return run(made, body, arguments, tells=True)


def body(arguments: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    progress = ConsoleProgress(terminal(stderr=True))
    with progress.step(f"writing the report of search {arguments.name!r}"):
        from tuner.search.outcome.report import report_page

        home = home_of(arguments)
        page = report_page(home, progress).encode()
        if arguments.out:
            Path(arguments.out).write_bytes(page)
        else:
            home.store.put(home.key("report.html"), page)
    print(arguments.out or home.address("report.html"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
