"""The options that say which model to take, read into the rules of a pick."""

import argparse
import math
from collections.abc import Sequence

from jobs.completion import completed, metrics
from tuner.errors import UsageError
from tuner.front.pick import Rules

ASK = "--knee, --within X METRIC, --at-most or --at-least NAME=V, --aspire, --weights, --order, or --trial N"


def add_rules(made: argparse.ArgumentParser) -> None:
    """Limits and distances, of which there may be many, and the rules that take one model."""
    narrow = made.add_argument_group("which models come into question")
    within = narrow.add_argument(
        "--within",
        nargs=2,
        action="append",
        default=[],
        metavar=("X", "METRIC"),
        help="those within X of METRIC's best, in its unit; several times for several metrics",
    )
    completed(within, metrics)
    for name in ("most", "least"):
        told = f"trials of which this parameter or metric is at {name} V (also: NAME V); the front is that of these"
        limit = narrow.add_argument(f"--at-{name}", action="append", nargs="+", default=[], metavar="NAME=V", help=told)
        completed(limit, lambda **_: [f"{name}=" for name in metrics()])
    takes = made.add_argument_group(
        "which of them is taken",
        "One of these. After limits alone: the knee; after --within alone: the best in the other "
        "objectives.\n  Without any rule, the candidates are shown, and you are asked.",
    )
    takes.add_argument("--knee", action="store_true", help="the best trade-off, if there is one")
    takes.add_argument("--trial", type=int, metavar="N", help="this trial")
    wish = "what comes closest to these wishes (a reference point), such as accuracy=90 interpretability=60"
    weigh = "the largest weighted sum, each objective scaled by its natural range: accuracy=2 interpretability=1"
    for option, told in (("--aspire", wish), ("--weights", weigh)):
        named = takes.add_argument(option, nargs="+", action="extend", default=[], metavar="NAME=V", help=told)
        completed(named, lambda **_: [f"{name}=" for name in metrics()])
    order = "the best in the first objective, among equals the best in the next (lexicographic)"
    completed(takes.add_argument("--order", nargs="+", default=[], metavar="METRIC", help=order), metrics)


def rules_of(given: argparse.Namespace) -> Rules:
    """The rules that were given.

    Raises:
        UsageError: a number is none, or two rules contradict each other.
    """
    most, least = ([token for group in groups for token in group] for groups in (given.at_most, given.at_least))
    return Rules(
        at_most=limits(most, "--at-most"),
        at_least=limits(least, "--at-least"),
        within=distances(given.within),
        trial=given.trial,
        knee=given.knee,
        aspire=numbers_by_name(given.aspire, "--aspire", "accuracy=90"),
        weights=numbers_by_name(given.weights, "--weights", "accuracy=2"),
        order=given.order,
    )


def limits(tokens: Sequence[str], option: str) -> dict[str, float]:
    """`NAME=V` or `NAME V` arguments as a dictionary; of two limits of the same name the stricter one counts.

    Raises:
        UsageError: an argument does not have that form.
    """
    stricter = max if option == "--at-least" else min
    found: dict[str, float] = {}
    for name, limit in named_numbers(tokens, option, "features_per_class=3"):
        found[name] = stricter(limit, found.get(name, limit))
    return found


def numbers_by_name(tokens: Sequence[str], option: str, example: str) -> dict[str, float]:
    """`NAME=V` or `NAME V` arguments as a dictionary.

    Raises:
        UsageError: an argument does not have that form, or a name has two values.
    """
    found: dict[str, float] = {}
    for name, value in named_numbers(tokens, option, example):
        if found.setdefault(name, value) != value:
            raise UsageError(f"{option} {name}={found[name]:g} and {name}={value:g}", "one value", "keep one of them")
    return found


def named_numbers(tokens: Sequence[str], option: str, example: str) -> list[tuple[str, float]]:
    """`NAME=V` or `NAME V` arguments as pairs, in their order.

    Raises:
        UsageError: an argument does not have that form, or the number is not finite.
    """
    found, left = [], list(tokens)
    while left:
        token = left.pop(0)
        whole = token if "=" in token or not left or "=" in left[0] else f"{token}={left.pop(0)}"
        name, _, value = (part.strip() for part in whole.partition("="))
        try:
            if not (name and math.isfinite(number := float(value))):
                raise ValueError(whole)
        except ValueError:
            shown = whole if "=" in token else whole.replace("=", " ", 1)
            raise UsageError(f"{option} {shown}", f"NAME=NUMBER, such as {example}", "write it in that form") from None
        found.append((name, number))
    return found


def distances(asked: Sequence[Sequence[str]]) -> dict[str, float]:
    """`--within X METRIC` arguments as a dictionary; of two distances of the same metric the smaller one counts.

    Raises:
        UsageError: X is not a number.
    """
    found: dict[str, float] = {}
    for number, metric in asked:
        try:
            found[metric] = min(float(number), found.get(metric, math.inf))
        except ValueError:
            expected = "a number (the distance) and the name of an objective"
            raise UsageError(f"--within {number} {metric}", expected, "for example --within 1.0 accuracy") from None
    return found
