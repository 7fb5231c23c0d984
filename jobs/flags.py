"""What a command calls the arguments that errors of the library speak of: `take_over=True` is --take-over here."""

import re

from tuner.errors import TunerError

FLAGS = {
    "against": "--against",
    "learn_from": "--from",
    "name": "--name",
    "objectives": "--objectives",
    "recipe": "--recipe",
    "store": "--store",
    "take_over": "--take-over",
    "tracking_uri": "--tracking-uri",
    "trials": "--trials",
    "describe_fields()": "--help-recipe",
    "weights": "--weights",
    "within": "--within",
}
ARGUMENT = re.compile(rf"`({'|'.join(map(re.escape, FLAGS))})(?:=([^`]*))?`")


def in_flags(error: TunerError) -> TunerError:
    """The same error, its advice in the words of a command."""
    error.todo = ARGUMENT.sub(_flag, error.todo)
    return error


def _flag(found: re.Match[str]) -> str:
    name, value = found.groups()
    return FLAGS[name] if value in (None, "True") else f"{FLAGS[name]} {value}"
