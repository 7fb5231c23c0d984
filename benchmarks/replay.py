"""A tabulated search to replay without training: results at every point of a grid, and the merit of a front.

The table is `benchmarks/tables/digits-grid.json.gz`: the `digits` recipe at all 176 feasible points of a grid, seed 0;
beside it `digits-noise.json.gz`, six of the points over five seeds. Between two values of `l1` results are interpolated
in its logarithm. The merit is the share, in %, that trials reach of the
hypervolume of the table's own front; the reference point is the nadir of that front, lowered by 10 % of the range of
all results.
"""

import functools
import gzip
import json
import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import moocore
import numpy as np

TABLES = Path(__file__).parent / "tables"
TABLE = TABLES / "digits-grid.json.gz"
SIZES = ("n_features", "features_per_class", "width")
OBJECTIVES = ("accuracy", "interpretability")
MARGIN = 0.1  # of the table's range, below the nadir of its front

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """What became of one trial.

    Attributes:
        values: metrics on the validation split, in their units, at the end.
        epochs: the same after so many epochs of fine-tuning.
        seconds: CPU seconds by stage.
    """

    values: dict[str, float]
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class Table:
    """The tabulated results.

    Args:
        path: of the JSON file.

    Raises:
        SystemExit: it is no file, or no table.
    """

    def __init__(self, path: Path = TABLE) -> None:
        content = content_of(path)
        self.grid: dict[str, list[float]] = content["grid"]
        self._rows: dict[tuple[int, ...], dict[float, Row]] = {}
        for row in content["rows"]:
            self._rows.setdefault(_sizes(row), {})[row["l1"]] = row

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def points(self) -> list[dict[str, Any]]:
        """The parameters of every row."""
        return [{**dict(zip(SIZES, sizes, strict=True)), "l1": l1} for sizes, rows in self._rows.items() for l1 in rows]

    def at(self, params: Mapping[str, Any]) -> Result:
        """What becomes of a trial.

        Args:
            params: the three sizes as tabulated, and any `l1` within the grid.

        Raises:
            KeyError: the sizes are not in the table.
        """
        rows = self._rows[_sizes(params)]
        known = sorted(rows)
        l1 = min(max(float(params["l1"]), known[0]), known[-1])
        place = min(max(bisect_right(known, l1), 1), len(known) - 1)
        low, high = known[place - 1], known[place]
        share = math.log(l1 / low) / math.log(high / low)
        one, other = _result(rows[low]), _result(rows[high])
        return Result(
            _between(one.values, other.values, share),
            {epoch: _between(one.epochs[epoch], other.epochs[epoch], share) for epoch in one.epochs},
            _between(one.seconds, other.seconds, share),
        )


class Merit:
    """How good a set of trials is: its hypervolume in % of that of the table's own front.

    Args:
        table: the table.
        objectives: metrics, each to be maximised.
    """

    def __init__(self, table: Table, objectives: Sequence[str] = OBJECTIVES) -> None:
        self.objectives = tuple(objectives)
        everything = self._array(table.at(point).values for point in table.points())
        front = everything[moocore.is_nondominated(everything, maximise=True)]
        self.reference = front.min(axis=0) - MARGIN * np.ptp(everything, axis=0)
        self._whole = self._volume(front)

    def percent(self, trials: Iterable[Mapping[str, float]]) -> float:
        """The merit of trials with these values; 0 where there are none."""
        return 100.0 * self._volume(self._array(trials)) / self._whole

    def _array(self, trials: Iterable[Mapping[str, float]]) -> np.ndarray:
        values = [[trial[name] for name in self.objectives] for trial in trials]
        return np.array(values, dtype=float).reshape(len(values), len(self.objectives))

    def _volume(self, values: np.ndarray) -> float:
        return float(moocore.hypervolume(values, ref=self.reference, maximise=True)) if len(values) else 0.0


def _sizes(params: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(int(params[name]) for name in SIZES)


def _between(one: Mapping[str, float], other: Mapping[str, float], share: float) -> dict[str, float]:
    return {name: (1.0 - share) * one[name] + share * other[name] for name in one if name in other}


def _result(row: Row) -> Result:
    return Result(row["values"], {int(after["epoch"]): _metrics(after) for after in row["epochs"]}, row["seconds"])


def _metrics(after: Row) -> dict[str, float]:
    return {name: value for name, value in after.items() if name != "epoch"}


def content_of(path: Path) -> dict[str, Any]:
    """What a table's file holds, JSON as it is or compressed by gzip.

    Raises:
        SystemExit: it is no file, or no table.
    """
    try:
        raw = path.read_bytes()
        found: dict[str, Any] = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
        if not found["rows"]:
            raise ValueError("no rows")
        return found
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise SystemExit(
            f"error: {path} cannot be read as a table: {error!r}\n"
            f"  expected: JSON with `rows`, such as {TABLE}\n"
            "  to do:    correct the path, or leave it out"
        ) from None


@functools.cache
def table(path: Path = TABLE) -> Table:
    """The table in a file, read once."""
    return Table(path)
