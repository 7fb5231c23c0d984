"""Export a search for other programs: as an Optuna study, which optuna-dashboard shows."""

import argparse
import sys
from pathlib import Path

from jobs.command import home_of, run
from jobs.output import print_json
from jobs.parsing import Parser, add_json, make_parser

EXAMPLES = """  qpm-tuner export --store runs --name digits --optuna digits.log
  optuna-dashboard digits.log                       (after: pip install optuna-dashboard)"""


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES)
    made.add_argument(
        "--optuna", metavar="FILE", required=True, help="write a journal file of Optuna; one that is there is replaced"
    )
    add_json(made)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given)


def body(arguments: argparse.Namespace) -> int:
    """Write the file and say what is in it."""
    from tuner.search.outcome.optuna_journal import write_journal

    home, file = home_of(arguments), Path(arguments.optuna)
    n_trials = write_journal(home, file)
    if arguments.json:
        print_json({"search": home.name, "file": str(file), "trials": n_trials})
    else:
        print(f"{file}: study {home.name} with {n_trials} trials; look at it with: optuna-dashboard {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
