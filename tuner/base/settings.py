"""One documented field of a recipe: default, help with unit, and the bounds it is checked against.

Component packages declare their settings as dataclasses of such fields (`tuner/qpm/settings.py` and
others); `tuner/recipe` composes and checks them. Importing settings never imports torch.
"""

from dataclasses import field
from typing import Any


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[Any, ...] | None = None,
    low: float | None = None,
    high: float | None = None,
    automatic: float | None = None,
    unit: str = "",
) -> Any:
    """A dataclass field with its documentation.

    Args:
        default: the default value; lists and dictionaries are copied for each instance.
        help: one line, with the unit where there is one.
        choices: the allowed values, or None.
        low: the smallest allowed value, inclusive.
        high: the largest allowed value, inclusive.
        automatic: a value below `low` that is allowed, too, and leaves the choice to the program.
        unit: of a number, such as `pixels`; empty for a plain number.
    """
    metadata = {"help": help, "choices": choices, "low": low, "high": high, "automatic": automatic, "unit": unit}
    if isinstance(default, list | dict):
        return field(default_factory=lambda: type(default)(default), metadata=metadata)
    return field(default=default, metadata=metadata)
