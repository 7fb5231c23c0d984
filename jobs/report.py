"""Write the report of a search: one self-contained HTML page, and one of the model's features if asked for."""

import argparse
import sys
from pathlib import Path
from urllib.parse import quote

from jobs.command import home_of, run
from jobs.output import progress
from jobs.parsing import Parser, make_parser

EXAMPLES = """  qpm-tuner report --store runs --name digits
  qpm-tuner report --store s3://bucket/qpm --name birds --out birds.html
  qpm-tuner report --store runs --name digits --features"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES)
    made.add_argument("--out", metavar="FILE", help="where to write it (default: into the store)")
    made.add_argument(
        "--features",
        action="store_true",
        help="also write a page of the picked model's features beside it: their images, classes, parts and attributes",
    )
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
        file = Path(arguments.out) if arguments.out else Path("report.html")
        beside = f"{file.stem}-features.html" if arguments.features else ""
        pages = {file.name: report_page(home, told, features_page=quote(beside))}
        if beside:
            from tuner.search.outcome.features import features_page

            pages[beside] = features_page(home, told, quote(file.name))
        for name, page in pages.items():
            if arguments.out:
                file.with_name(name).write_bytes(page.encode())
            else:
                home.store.put(home.key(name), page.encode())
            print(file.with_name(name) if arguments.out else home.address(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
