"""The instructions that a running search understands: names, meanings, and checks of their arguments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tuner.search.record.fields import MOST_TRIALS, InvalidEventError, check_count, check_params, told


@dataclass(frozen=True)
class Verb:
    """An instruction.

    Attributes:
        does: what it does, in one line.
        check: refuses wrong arguments with an `InvalidEventError`.
        waits: whether it makes sense without a driver: the next one carries it out.
    """

    does: str
    check: Callable[[Any], None]
    waits: bool = True


def _nothing(arguments: Any) -> None:
    if arguments != {}:
        raise InvalidEventError(f"it takes no arguments, and has {told(arguments)}")


def _one(arguments: Any, name: str) -> Any:
    """The value of the only argument."""
    if not (isinstance(arguments, dict) and set(arguments) == {name}):
        raise InvalidEventError(f"its arguments are not {name} alone")
    return arguments[name]


def _stop(arguments: Any) -> None:
    if arguments != {} and type(_one(arguments, "now")) is not bool:
        raise InvalidEventError("its now is neither true nor false")


def _skip(arguments: Any) -> None:
    check_count("trial", _one(arguments, "trial"))


def _add(arguments: Any) -> None:
    check_params(arguments)


def _budget(arguments: Any) -> None:
    trials = _one(arguments, "trials")
    if not (type(trials) is int and 0 < trials < MOST_TRIALS):
        raise InvalidEventError(f"its trials is no number of trials from 1 on: {told(trials)}")


VERBS = {
    "stop": Verb("running stages end, nothing new begins, and the same command carries on", _stop, waits=False),
    "pause": Verb("begin no further trial until `resume`; trials under way go on", _nothing),
    "resume": Verb("go on after `pause`", _nothing),
    "skip": Verb("end one trial without a result; nothing is learned from it", _skip),
    "add": Verb("run one more trial, with these parameters", _add),
    "budget": Verb("set the number of trials in all", _budget),
}
