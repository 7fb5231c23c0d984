"""Choose one model from the front, with the reason in a sentence; export and register it."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jobs.asking import ask_for_trial, can_ask
from jobs.command import home_of, run
from jobs.completion import completed, metrics
from jobs.output import print_error, print_json, terminal
from jobs.parsing import Parser, add_json, make_parser
from jobs.rules import ASK, add_rules, rules_of
from tuner.errors import UsageError
from tuner.front import uncertainty
from tuner.front.pareto import Objective
from tuner.front.pick import Pick, Rules
from tuner.recipe import objectives_of
from tuner.report import proof
from tuner.search.outcome.candidates import SideBySide, side_by_side
from tuner.search.outcome.pick import carry_out, pick_model, require_room
from tuner.search.record.home import SearchHome
from tuner.search.watch.pick_text import candidates_table, price_lines, test_line

EXAMPLES = """  qpm-tuner pick --store runs --name digits                              (shows the candidates and asks)
  qpm-tuner pick --store runs --name digits --knee                       (preview: nothing is written)
  qpm-tuner pick --store runs --name digits --knee --choose              (record it in the search)
  qpm-tuner pick --store runs --name digits --within 1.0 accuracy --export picked
  qpm-tuner pick --store runs --name digits --at-most features_per_class=3 --at-least accuracy=90 --register
  qpm-tuner pick --store runs --name digits --objectives accuracy n_features:min --aspire accuracy=95 n_features=20"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES)
    add_rules(made)
    other = "other objectives than the search's own; the front is computed anew from all complete trials"
    completed(made.add_argument("--objectives", nargs="+", metavar="NAME", help=other), metrics)
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
    return run(arguments(), body, given, tells=lambda parsed: can_ask() and not rules_of(parsed).given)


def body(arguments: argparse.Namespace) -> int:
    """Pick a model, then export, register or record it as asked."""
    home, rules = home_of(arguments), rules_of(arguments)
    export = None if arguments.export is None else Path(arguments.export)
    if export is not None:
        require_room(export)
    if not rules.given:
        found = side_by_side(home, arguments.objectives)
        if len(found.candidates) > 1:  # else there is nothing to choose between
            if arguments.json or not can_ask():
                return told_to_choose(found, as_json=arguments.json)
            terminal().print(candidates_table(found.view, found.state, found.candidates, found.prices), soft_wrap=True)
            numbers = [point.trial for point in found.view.points(found.state)]
            rules = Rules(trial=ask_for_trial(numbers, [c.point.trial for c in found.candidates]))
    chosen = pick_model(home, rules, arguments.objectives)
    document = described(home, chosen)
    if arguments.dry_run:
        document["dry_run"] = [name for name in ("export", "register", "choose") if getattr(arguments, name)]
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
    else:
        show(home, chosen, objectives_of(home.stored()[0], arguments.objectives), document)
    return 0


def described(home: SearchHome, chosen: Pick) -> dict[str, Any]:
    """The choice as one JSON document."""
    point = chosen.point
    record = home.state().trials.get(point.trial)  # missing if its ledger entry was damaged in the meantime
    program = record.program if record else None
    return {
        "search": home.name,
        "trial": point.trial,
        "params": point.params,
        "values": point.values,
        "errors": uncertainty.errors(point.values) | point.errors,
        "confirmation": chosen.bars.to_json(),
        "test": record.test if record else {},
        "program": program and program.to_json(),
        "model": point.model,
        "reason": chosen.reason,
        "alternatives": list(chosen.alternatives),
        "runner_up": None if chosen.runner_up is None else chosen.runner_up.trial,
        "prices": [price.to_json() for price in chosen.prices],
    }


def show(home: SearchHome, chosen: Pick, objectives: Sequence[Objective], document: dict[str, Any]) -> None:
    """The choice, its price, its program, and what was done with it, as text."""
    print(chosen.reason)
    for line in price_lines(chosen):
        print(line)
    record = home.state().trials.get(chosen.point.trial)
    if record and (tested := test_line(objectives, record.test)):
        print(tested)
    if record and record.program:
        print(f"its program: {proof.sentence(record.program)}")
    if "dry_run" in document:
        asked = ", ".join(document["dry_run"]) or "nothing either"
        print(f"dry run, nothing was written; without --dry-run: {asked}")
    for name in ("exported", "registered"):
        if name in document:
            print(f"{name}: {document[name]}")


def told_to_choose(found: SideBySide, *, as_json: bool) -> int:
    """Show the candidates to who cannot be asked, and what to do; returns the exit code."""
    first, second = found.candidates[:2]
    error = UsageError(
        f"no rule says which of the {len(found.view.members)} models on the front to take",
        f"a rule: {ASK}",
        f"add one: --knee takes trial {first.point.trial}; --trial {second.point.trial} is {second.role}",
    )
    if as_json:
        told = {"what": error.what, "expected": error.expected, "todo": error.todo}
        print_json(found.to_dict() | {"error": told})
    else:
        terminal().print(candidates_table(found.view, found.state, found.candidates, found.prices), soft_wrap=True)
        sys.stdout.flush()
    print_error(error, as_json=False)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
