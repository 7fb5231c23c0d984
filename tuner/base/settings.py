"""Documented fields of a recipe: default, help with unit, and bounds.

Component packages declare their settings as dataclasses of such fields (`tuner/qpm/settings.py` and
others); `tuner/recipe` composes and checks them. Importing settings never imports torch.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import field
from typing import Any, get_type_hints

from tuner.errors import UsageError


def setting(
    default: Any,
    help: str,
    *,
    choices: Iterable[Any] | None = None,
    low: float | None = None,
    high: float | None = None,
    automatic: float | None = None,
    unit: str = "",
) -> Any:
    """A dataclass field with its documentation.

    Args:
        default: the default value; lists and dictionaries are copied for each instance.
        help: one line, with the unit where there is one.
        choices: the allowed values, or None; a registry means the names in it.
        low: the smallest allowed value, inclusive.
        high: the largest allowed value, inclusive.
        automatic: an additional allowed value below `low` that leaves the choice to the program.
        unit: unit of a number, such as `pixels`; empty for a plain number.
    """
    metadata = {"help": help, "choices": choices, "low": low, "high": high, "automatic": automatic, "unit": unit}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)


def check_settings(settings: type, base: type) -> None:
    """Check that a third-party dataclass can be part of a recipe.

    String annotations, as `from __future__ import annotations` produces them, are replaced by the types they name.

    Raises:
        UsageError: it is not a dataclass derived from `base`, or has a field without a default, without help, or of a
            type other than str, int, float or bool.
    """
    name = getattr(settings, "__name__", repr(settings))
    if not (isinstance(settings, type) and issubclass(settings, base) and dataclasses.is_dataclass(settings)):
        raise UsageError(
            f"the settings {name} are not a dataclass derived from {base.__name__}",
            "a dataclass that inherits the common settings and adds its own",
            f"write @dataclass class {name}({base.__name__})",
        )
    types = get_type_hints(settings)
    for info in dataclasses.fields(settings):
        info.type = types[info.name]
        if info.type not in (str, int, float, bool) or info.default is dataclasses.MISSING:
            raise UsageError(
                f"the setting {info.name} of {name} is {info.type}, default {info.default!r:.60}",
                "str, int, float or bool, and a default",
                f"declare it as {info.name}: int = setting(1, 'its meaning')",
            )
        if not info.metadata.get("help"):
            raise UsageError(
                f"the setting {info.name} of {name} has no help",
                "a one-line description, for help texts and errors",
                f"declare it as {info.name}: {info.type.__name__} = setting({info.default!r}, 'its meaning')",
            )
