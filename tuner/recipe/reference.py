"""The reference of recipe settings, with units and bounds, for help texts and documentation."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from tuner.data.settings import ManifestConfig
from tuner.recipe.schema import SHORT_NAMES, Recipe, walk


@dataclass(frozen=True)
class Field:
    """One setting of a recipe.

    Attributes:
        name: its dotted name, such as `dense.lr`.
        short: its short name, such as `width` for `adapter.width`; empty where there is none.
        type: `str`, `int`, `float`, `bool`, `list` or `dict`.
        default: its value where a recipe does not say otherwise.
        unit: of a number, such as `s` or `pixels`; empty for a plain number.
        choices: the values it may have; empty where it is not one of a few.
        low: the smallest value, inclusive; None: no bound.
        high: the largest value, inclusive; None: no bound.
        automatic: a value below `low` that leaves the choice to the program; None where there is none.
        meaning: one line.
    """

    name: str
    short: str
    type: str
    default: Any
    unit: str
    choices: tuple[Any, ...]
    low: float | None
    high: float | None
    automatic: float | None
    meaning: str

    @property
    def allowed(self) -> str:
        """The choices or bounds in words: "one of avg, max", "1 or more", "0.01 to 0.9"; empty where all goes."""
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        low, high = (None if bound is None else f"{bound:.12g}" for bound in (self.low, self.high))
        if low is None and high is None:
            return ""
        told = f"{low} to {high}" if low and high else f"{low} or more" if low else f"{high} or less"
        return told if self.automatic is None else f"{told}, or {self.automatic:g}"


def fields(recipe: Recipe | None = None) -> list[Field]:
    """Every setting of a recipe, in the order in which a recipe is written.

    Args:
        recipe: whose settings; their values are the defaults then. None: a recipe in which nothing is set, with the
            settings of every built-in data set.
    """
    short = {path: name for name, path in SHORT_NAMES.items()}
    shown = recipe or Recipe(data=ManifestConfig())  # the one data set with a setting that the others lack
    return [_field(path, value, info, short.get(path, "")) for path, value, info in walk(shown)]


def describe_fields() -> list[tuple[str, Any, str]]:
    """Every field of a recipe as (dotted key, default, meaning); `fields` says more."""
    return [(field.name, field.default, field.meaning) for field in fields()]


def _field(path: str, value: Any, info: dataclasses.Field[Any], short: str) -> Field:
    rules = info.metadata
    return Field(
        name=path,
        short=short,
        type=type(value).__name__,
        default=value,
        unit=str(rules.get("unit", "")),
        choices=tuple(rules.get("choices") or ()),
        low=rules.get("low"),
        high=rules.get("high"),
        automatic=rules.get("automatic"),
        meaning=str(rules.get("help", "")),
    )
