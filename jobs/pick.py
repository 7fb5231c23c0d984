"""Choose one model from the front, with the reason in a sentence; export and register it."""

import argparse
import sys
from pathlib import Path

from jobs.command import home_of, limits, parser, print_json, run
from tuner.search.picking import export_pick, pick_model, record_pick, register_pick

EXAMPLES = """  python -m jobs.pick --store runs --name digits --knee
  python -m jobs.pick --store runs --name digits --within 1.0 accuracy --export picked
  python -m jobs.pick --store runs --name digits --at-most features_per_class=3 --register"""


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    made = parser(__file__, __doc__, EXAMPLES)
    rule = made.add_mutually_exclusive_group()
    rule.add_argument("--knee", action="store_true", help="the best trade (the default)")
    rule.add_argument(
        "--within",
        nargs=2,
        metavar=("X", "METRIC"),
        help="the best in the other objectives within X of METRIC's best",
    )
    made.add_argument("--at-most", action="append", default=[], metavar="PARAM=V", help="only trials within this limit")
    made.add_argument("--export", metavar="DIR", help="write the model folder there")
    made.add_argument("--register", action="store_true", help="register the model in MLflow under the alias 'picked'")
    made.add_argument("--json", action="store_true", help="print one JSON document")
    return run(made, body, arguments)


def body(arguments: argparse.Namespace) -> int:
    """Pick, and do with it what was asked."""
    home = home_of(arguments)
    chosen = pick_model(home, within=arguments.within, at_most=limits(arguments.at_most))
    document = {"search": home.name, "trial": chosen.point.trial, "params": chosen.point.params}
    document |= {"values": chosen.point.values, "model": chosen.point.model, "reason": chosen.reason}
    if arguments.export:
        document["exported"] = str(export_pick(home, chosen, Path(arguments.export)))
    record_pick(home, chosen)
    if arguments.register:
        document["registered"] = register_pick(home, chosen)
    if arguments.json:
        print_json(document)
        return 0
    print(chosen.reason)
    for name in ("exported", "registered"):
        if name in document:
            print(f"{name}: {document[name]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
