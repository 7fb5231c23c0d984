"""Check what a search needs (versions, GPU, store, clock, cache, disk, MLflow, Ray), or check one search."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import asdict

from jobs.command import run
from jobs.completion import completed, searches
from jobs.output import print_json
from jobs.parsing import STORE_HELP, Parser, add_json, make_parser
from tuner.doctor.checks import Check, examine
from tuner.store import open_store

EXAMPLES = """  qpm-tuner doctor
  qpm-tuner doctor --store s3://bucket/qpm --tracking-uri http://127.0.0.1:5000
  qpm-tuner doctor --store runs --name digits     (check this search: recipe, ledger, files, artifacts)
  qpm-tuner doctor --json"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES, search=False)
    made.add_argument("--store", default="runs", help=STORE_HELP)
    told = "check this search: report each damaged part and what the next start does about it"
    completed(made.add_argument("--name", help=told), searches)
    made.add_argument("--tracking-uri", default="", metavar="ADDRESS", help="MLflow (default: MLFLOW_TRACKING_URI)")
    add_json(made)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given)


def body(arguments: argparse.Namespace) -> int:
    """Check, and print a line each; exit code 1 if anything failed."""
    checks = []
    for check in _checks(arguments):
        checks.append(check)
        if not arguments.json:
            print(line(check), flush=True)
    healthy = all(check.ok for check in checks)
    if arguments.json:
        print_json({"healthy": healthy, "checks": [asdict(check) for check in checks]})
    return 0 if healthy else 1


def _checks(arguments: argparse.Namespace) -> Iterator[Check]:
    if arguments.name is None:
        return examine(arguments.store, arguments.tracking_uri)
    from tuner.doctor.search import inspect_search

    return inspect_search(open_store(arguments.store), arguments.name)


def line(check: Check) -> str:
    """A check as text: what was found, and below it what to do if it failed."""
    told = f"{'pass' if check.ok else 'FAIL'}  {check.name:11}{check.found}"
    return told if check.ok else f"{told}\n      to do:     {check.todo}"


if __name__ == "__main__":
    sys.exit(main())
