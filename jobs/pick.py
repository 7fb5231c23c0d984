"""Choose one model from the front, with the reason in a sentence; export and register it."""

import argparse
import sys
from pathlib import Path

from jobs.command import home_of, run
from jobs.completion import completed, metrics
from jobs.output import print_json
from jobs.parsing import Parser, add_json, limits, make_parser
from tuner.errors import UsageError
from tuner.front import uncertainty
from tuner.report import proof
from tuner.search.outcome.pick import carry_out, pick_model, require_room

EXAMPLES = """  qpm-tuner pick --store runs --name digits --knee                       (preview: nothing is written)
  qpm-tuner pick --store runs --name digits --knee --choose              (record it in the search)
  qpm-tuner pick --store runs --name digits --within 1.0 accuracy --export picked
  qpm-tuner pick --store runs --name digits --at-most features_per_class=3 --register"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES)
    rule = made.add_mutually_exclusive_group()
    rule.add_argument("--knee", action="store_true", help="the best trade-off, if there is one (the default)")
    within = rule.add_argument(
        "--within",
        nargs=2,
        metavar=("X", "METRIC"),
        help="the best in the other objectives within X of METRIC's best",
    )
    completed(within, metrics)
    limit = "only trials within this limit"
    at_most = made.add_argument("--at-most", action="append", default=[], metavar="PARAM=V", help=limit)
    completed(at_most, lambda **_: [f"{name}=" for name in metrics()])
    made.add_argument("--export", metavar="DIR", help="write the model to this folder")
    made.add_argument("--register", action="store_true", help="register the model in MLflow under the alias 'picked'")
    made.add_argument(
        "--tracking-uri",
        default="",
        metavar="ADDRESS",
        help="the MLflow to register it in (default: MLFLOW_TRACKING_URI, else mlflow.db beside the store)",
    )
    made.add_argument("--choose", action="store_true", help="record the choice; --export and --register do too")
    made.add_argument("--dry-run", action="store_true", help="say what would be done, and write nothing")
    add_json(made)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given)


def body(arguments: argparse.Namespace) -> int:
    """Pick a model, then export, register or record it as asked."""
    home = home_of(arguments)
    chosen = pick_model(home, within=distance(arguments.within), at_most=limits(arguments.at_most))
    point, export = chosen.point, None if arguments.export is None else Path(arguments.export)
    if export is not None:
        require_room(export)
    document = {"search": home.name, "trial": point.trial, "params": point.params, "values": point.values}
    record = home.state().trials.get(point.trial)  # missing if its ledger entry was damaged in the meantime
    program = record.program if record else None
    document |= {"errors": uncertainty.errors(point.values) | point.errors, "confirmation": chosen.bars.to_json()}
    document |= {"program": program and program.to_json()}
    document |= {"model": point.model, "reason": chosen.reason, "alternatives": list(chosen.alternatives)}
    if arguments.dry_run:
        document["dry_run"] = asked = [name for name in ("export", "register", "choose") if getattr(arguments, name)]
    else:
        document |= carry_out(
            home,
            chosen,
            export=export,
            register=arguments.register,
            choose=arguments.choose,
            tracking_uri=arguments.tracking_uri,
        )
    if arguments.json:
        print_json(document)
        return 0
    print(chosen.reason)
    if program:
        print(f"its program: {proof.sentence(program)}")
    if arguments.dry_run:
        print(f"dry run, nothing was written; without --dry-run: {', '.join(asked) or 'nothing either'}")
    for name in ("exported", "registered"):
        if name in document:
            print(f"{name}: {document[name]}")
    return 0


def distance(asked: list[str] | None) -> dict[str, float]:
    """`--within X METRIC` as a dictionary.

    Raises:
        UsageError: X is not a number.
    """
    if asked is None:
        return {}
    number, metric = asked
    try:
        return {metric: float(number)}
    except ValueError:
        expected = "a number (the distance) and the name of an objective"
        raise UsageError(f"--within {number} {metric}", expected, "for example --within 1.0 accuracy") from None


if __name__ == "__main__":
    sys.exit(main())
