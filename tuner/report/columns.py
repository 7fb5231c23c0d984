"""Numbers of one column of a table of the report, as text."""

from collections.abc import Sequence
from math import isfinite

NOTHING = "–"


def column(values: Sequence[float | None]) -> list[str]:
    """A column's numbers with the same number of decimals."""
    known = [v for v in values if v is not None and isfinite(v)]
    digits = 0 if all(float(v).is_integer() for v in known) else 1 if max(map(abs, known)) >= 1 else 3
    return [f"{v:.{digits}f}" if v is not None and isfinite(v) else NOTHING for v in values]
