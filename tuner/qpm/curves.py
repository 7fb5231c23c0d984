"""Learning curves, one row per epoch, and how they are kept on disk; read without torch.

A value on held-out images is named `val_...`, and missing where none was measured.
"""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from tuner.base.untrusted import plain_file, require, unsound

CURVES = "curves.parquet"
VALIDATION = "val_"
MOST_ROWS, MOST_COLUMNS = 1_000_000, 100


def of_training(curves: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """The curves without values on held-out images."""
    return [{name: v for name, v in row.items() if not name.startswith(VALIDATION)} for row in curves]


def read_curves(folder: Path) -> list[dict[str, float]]:
    """One row per epoch; none where there is no such file.

    Raises:
        MalformedError: it is no table of finite numbers.
    """
    file = folder / CURVES
    if not os.path.lexists(file):
        return []
    plain_file(file)
    import pyarrow.parquet as pq  # a third of a command's start-up

    try:
        with pq.ParquetFile(file) as table:
            size = table.metadata.num_rows, table.metadata.num_columns
            fits = size[0] <= MOST_ROWS and size[1] <= MOST_COLUMNS
            rows = table.read().to_pylist() if fits else []
    except Exception as error:  # pyarrow raises a dozen types for a damaged file
        raise unsound(file, str(error), "learning curves") from None
    require(fits, file, f"it holds {size[0]:,} rows of {size[1]:,}", f"at most {MOST_ROWS:,} of {MOST_COLUMNS}")
    rows = [{k: v for k, v in row.items() if v is not None or not k.startswith(VALIDATION)} for row in rows]
    numbers = (value for row in rows for value in row.values())
    good = all(type(value) in (int, float) and math.isfinite(value) for value in numbers)
    require(good, file, "it holds values that are no finite numbers", "one row per epoch, of numbers")
    return rows
