"""Show one trial: parameters, what it does or how it ended, stages, values, logs. Without a number: all trials."""

import argparse
import sys
import time

from jobs.command import home_of, run
from jobs.output import print_json, progress, terminal
from jobs.parsing import Parser, add_json, make_parser
from tuner.errors import UsageError
from tuner.search.watch.trial_page import LOG_LINES, open_trials, trial_document, trial_text, trials_text

EXAMPLES = """  qpm-tuner trial --store runs --name digits                    (all trials)
  qpm-tuner trial --store runs --name digits 7
  qpm-tuner trial --store s3://bucket/qpm --name birds 7 --follow
  qpm-tuner trial --store runs --name digits 7 --log 300        (more of the logs)"""
LOOK_S = 2.0
ALIVE_S = 30.0


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES)
    made.add_argument("trial", nargs="?", type=int, metavar="TRIAL", help="number of the trial")
    made.add_argument("--follow", action="store_true", help="say what it does until it has ended, then show it")
    log = f"last N lines of the log of every stage (default: {LOG_LINES} lines of the last one; 0: none)"
    made.add_argument("--log", type=int, metavar="N", help=log)
    add_json(made)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given, tells=True)


def body(arguments: argparse.Namespace) -> int:
    """Print the trial, or all."""
    home = home_of(arguments, wait=arguments.follow)
    lines = LOG_LINES if arguments.log is None else max(0, arguments.log)
    if arguments.trial is None:
        if arguments.follow:
            raise UsageError("--follow without a trial", "the number of a trial", "for example 7 --follow")
        if arguments.json:
            print_json({"search": home.name, "trials": open_trials(home)})
        else:
            terminal().print(trials_text(home), soft_wrap=True)
        return 0
    document = trial_document(home, arguments.trial, log_lines=lines)
    if arguments.follow:
        told, said, said_s = progress(stderr=True), "", 0.0
        while document["state"] == "open":
            doing = str(document["doing"]).rpartition(" (")[0] or document["doing"]
            if doing != said or time.monotonic() - said_s > ALIVE_S:
                said, said_s = doing, time.monotonic()
                told.say(f"trial {arguments.trial}: {document['doing']}")
            time.sleep(LOOK_S)
            document = trial_document(home, arguments.trial, log_lines=lines)
    if arguments.json:
        print_json(document)
    else:
        terminal().print(trial_text(document, all_logs=arguments.log is not None), soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
