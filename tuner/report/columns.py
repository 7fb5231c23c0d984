"""Numbers of one column of a table of the report, as text."""

from collections.abc import Sequence
from math import isfinite
from typing import Any

NOTHING = "–"


def column(values: Sequence[float | None]) -> list[str]:
    """A column's numbers with the same number of decimals."""
    places = decimals(values)
    return [f"{v:.{places}f}" if v is not None and isfinite(v) else NOTHING for v in values]


def decimals(values: Sequence[float | None]) -> int:
    """The number of decimals that all numbers of a column are shown with."""
    known = [v for v in values if v is not None and isfinite(v)]
    return 0 if all(float(v).is_integer() for v in known) else 1 if max(map(abs, known)) >= 1 else 3


def plain(value: Any) -> str:
    """A parameter or setting as text."""
    if value is None:
        return NOTHING
    return f"{value:g}" if isinstance(value, float) else str(value)
