"""Compare two trials, or two searches: what differs, by how much, and whether it is beyond noise."""

import argparse
import sys

from jobs.addresses import Addressed, addressed
from jobs.command import run
from jobs.completion import completed, metrics, searches
from jobs.output import print_json, terminal
from jobs.parsing import STORE_HELP, Parser, add_json, make_parser
from jobs.rules import numbers_by_name
from tuner.errors import UsageError
from tuner.search.outcome.diff_searches import diff_searches
from tuner.search.outcome.diff_text import searches_text, trials_text
from tuner.search.outcome.diff_trials import diff_trials

EXAMPLES = """  qpm-tuner diff --store runs digits:3 digits:7                     (two trials)
  qpm-tuner diff --store runs digits digits-2                       (two searches)
  qpm-tuner diff runs/digits s3://bucket/qpm/digits --json
  qpm-tuner diff --store runs digits digits-2 --objectives accuracy features_per_class:min --reference accuracy=80"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES, search=False)
    made.add_argument("--store", default="runs", help=f"of those that are named without one: {STORE_HELP}")
    for name, which in (("a", "the first"), ("b", "the second")):
        told = f"{which} search, NAME or STORE/NAME, or a trial of it, NAME:7"
        completed(made.add_argument(name, metavar=name.upper(), help=told), searches)
    other = "other objectives than those of the first search"
    completed(made.add_argument("--objectives", nargs="+", metavar="NAME", help=other), metrics)
    worst = "of two searches: the worst value of an objective that counts (default: a tenth beyond the worst member)"
    made.add_argument("--reference", nargs="+", action="extend", default=[], metavar="NAME=V", help=worst)
    add_json(made)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given)


def body(arguments: argparse.Namespace) -> int:
    """Print the comparison."""
    one, two = (addressed(text, arguments.store) for text in (arguments.a, arguments.b))
    reference = numbers_by_name(arguments.reference, "--reference", "accuracy=80")
    _refuse_mixtures(one, two, arguments)
    if one.trial is not None and two.trial is not None:
        trials = diff_trials((one.home, two.home), (one.trial, two.trial), arguments.objectives)
        document, text = trials.to_dict(), trials_text(trials)
    else:
        found = diff_searches(one.home, two.home, arguments.objectives, reference)
        document, text = found.to_dict(), searches_text(found)
    if arguments.json:
        print_json(document)
    else:
        terminal().print(text, soft_wrap=True)
    return 0


def _refuse_mixtures(one: Addressed, two: Addressed, arguments: argparse.Namespace) -> None:
    """Refuse a trial beside a search, something beside itself, and a reference that means nothing.

    Raises:
        UsageError: saying which.
    """
    given = f"{arguments.a} and {arguments.b}"
    if (one.trial is None) != (two.trial is None):
        raise UsageError(f"{given}: one is a search and one a trial", "two searches, or two trials", "name two alike")
    if one.home.store.url == two.home.store.url and (one.home.name, one.trial) == (two.home.name, two.trial):
        raise UsageError(f"{given} are the same", "two different ones", "name another second one")
    if one.trial is not None and arguments.reference:
        raise UsageError("--reference beside two trials", "two searches", "leave it out")


if __name__ == "__main__":
    sys.exit(main())
