"""Control a running search from any machine: stop, pause, resume, skip or add a trial, set the budget.

Without an instruction it lists those given so far, and what became of them.
"""

import argparse
import sys
import time

from jobs.command import home_of, run
from jobs.completion import completed
from jobs.output import print_json, terminal
from jobs.parsing import Parser, add_json, make_parser
from tuner.base.tables import Column, FittedTable
from tuner.errors import UsageError
from tuner.search.control.control import WAIT_S, Answer, Control
from tuner.search.control.verbs import VERBS

EXAMPLES = """  qpm-tuner control --store runs --name digits                  (what was instructed so far)
  qpm-tuner control --store runs --name digits stop             (--now: do not wait for running stages)
  qpm-tuner control --store s3://bucket/qpm --name birds skip 7
  qpm-tuner control --store runs --name digits add n_features=20 features_per_class=3
  qpm-tuner control --store runs --name digits budget 60"""
FORMS = {"skip": "skip TRIAL", "add": "add NAME=VALUE ...", "budget": "budget TRIALS"}


def arguments() -> Parser:
    """What it takes."""
    made = make_parser(__file__, __doc__, EXAMPLES)
    told = "; ".join(f"{FORMS.get(name, name)}: {verb.does}" for name, verb in VERBS.items())
    given = made.add_argument("instruction", nargs="*", metavar="INSTRUCTION", help=told)
    completed(given, lambda **_: list(VERBS))
    made.add_argument("--now", action="store_true", help="with stop: end running stages at once")
    wait = f"seconds to wait for the driver's answer (default: {WAIT_S:.0f})"
    made.add_argument("--wait", type=float, default=WAIT_S, metavar="S", help=wait)
    add_json(made)
    return made


def main(given: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return run(arguments(), body, given)


def body(arguments: argparse.Namespace) -> int:
    """Give the instruction, or list all; the exit code is 1 if it was refused."""
    control = Control(home_of(arguments, starting=True), arguments.wait)
    if not arguments.instruction:
        if arguments.now:
            raise UsageError("--now without an instruction", "stop --now", "add stop")
        show(control.answers(), as_json=arguments.json)
        return 0
    answer = instruct(control, arguments.instruction, now=arguments.now)
    if arguments.json:
        print_json(answer.to_json())
    else:
        at = "" if answer.answered_s is None else time.strftime(" at %H:%M:%S", time.localtime(answer.answered_s))
        by = f" by the driver {answer.driver}" if answer.driver else ""
        print(f"{answer.instruction}: {answer.state}{at}{by}: {answer.note}")
    return 1 if answer.state == "refused" else 0


def instruct(control: Control, words: list[str], *, now: bool) -> Answer:
    """Give the instruction in these words.

    Raises:
        UsageError: they are none.
    """
    verb, *rest = words
    if verb not in VERBS:
        from tuner.base.spelling import did_you_mean

        raise UsageError(f"unknown instruction {verb!r}", f"one of {', '.join(VERBS)}", did_you_mean(verb, VERBS))
    if now and verb != "stop":
        raise UsageError(f"{verb} --now", "--now only with stop", "leave out --now")
    match verb, rest:
        case "stop", []:
            return control.stop(now=now)
        case "pause", []:
            return control.pause()
        case "resume", []:
            return control.resume()
        case "skip", [trial]:
            return control.skip(whole(trial, "trial", verb))
        case "budget", [trials]:
            return control.budget(whole(trials, "trials", verb))
        case "add", _:
            return control.add(named(rest))
    given = f"{verb} {' '.join(rest)}".strip()
    raise UsageError(given, FORMS.get(verb, f"{verb} alone"), "write it in that form")


def whole(text: str, name: str, verb: str) -> int:
    """A number such as "7" or "trials=7".

    Raises:
        UsageError: it is none.
    """
    digits = text.removeprefix(f"{name}=")
    if not (digits.isascii() and digits.isdigit()):
        raise UsageError(f"{verb} {text}", f"{FORMS[verb]}, with a whole number", f"for example {verb} 7")
    return int(digits)


def named(words: list[str]) -> dict[str, str]:
    """`NAME=VALUE` words as a dictionary.

    Raises:
        UsageError: one has another form, or a name occurs twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals and value):
            raise UsageError(f"add {word}", "NAME=VALUE, such as n_features=20", "write it in that form")
        if name in found:
            raise UsageError(f"add names {name} twice", "each name once", "drop one of the two")
        found[name] = value
    return found


def show(answers: list[Answer], *, as_json: bool) -> None:
    """All instructions and what became of them."""
    if as_json:
        print_json({"instructions": [answer.to_json() for answer in answers]})
    elif not answers:
        print("nothing was instructed so far")
    else:
        times = [time.strftime("%m-%d %H:%M", time.localtime(answer.given_s)) for answer in answers]
        columns = [
            Column("number", [str(answer.number) for answer in answers], weight=5),
            Column("given", times, weight=6),
            Column("by", [answer.by for answer in answers], weight=4, words=True, narrowest=12),
            Column("instruction", [answer.instruction for answer in answers], weight=9, words=True, narrowest=12),
            Column("state", [answer.state for answer in answers], weight=8),
            Column("what became of it", [answer.note for answer in answers], weight=7, words=True, narrowest=20),
        ]
        terminal().print(FittedTable(columns), soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
