"""Translates argument names in the library's errors to command-line options: `take_over=True` to --take-over."""

import re

from tuner.errors import TunerError

FLAGS = {
    "against": "--against",
    "check=False": "--unchecked",
    "learn_from": "--from",
    "name": "--name",
    "objectives": "--objectives",
    "places": "--from",
    "recipe": "--recipe",
    "root": "--root",
    "seeds": "--seeds",
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
    """The same error, with command-line options in its advice."""
    error.todo = ARGUMENT.sub(_flag, error.todo)
    return error


def _flag(found: re.Match[str]) -> str:
    name, value = found.groups()
    return FLAGS[name] if value in (None, "True") else f"{FLAGS[name]} {value}"
