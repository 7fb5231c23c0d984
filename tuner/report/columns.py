"""Numbers of one column of a table of the report, as text."""

from collections.abc import Sequence
from math import floor, isfinite, log10
from typing import Any

NOTHING = "–"
MOST_DECIMALS = 9


def column(values: Sequence[float | None]) -> list[str]:
    """A column's numbers with the same number of decimals."""
    places = decimals(values)
    return [f"{v:.{places}f}" if v is not None and isfinite(v) else NOTHING for v in values]


def decimals(values: Sequence[float | None]) -> int:
    """The number of decimals that all numbers of a column are shown with."""
    known = [v for v in values if v is not None and isfinite(v)]
    if all(float(v).is_integer() for v in known):
        return 0
    largest = max(map(abs, known))
    return 1 if largest >= 1 else min(MOST_DECIMALS, 2 - floor(log10(largest)))  # three digits of the largest


def plain(value: Any) -> str:
    """A parameter or setting as text, with all digits that say something."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return str(value).lower()  # as in a recipe
    return f"{value:g}" if isinstance(value, float) else str(value)


def brief(value: Any) -> str:
    """A parameter as text in a table, with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else plain(value)
