"""Mean and standard deviation of a metric over seeds, and whether two of them can be told apart.

A figure from one run says little: the seed alone moves accuracy by about a point (docs/explanation/method.md#seeds).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot
from statistics import fmean, stdev

LEVEL = 0.05  # two means differ if chance alone makes such a difference in fewer than this share of repetitions
Z = 1.96  # the same, for one run of each whose standard errors are known


@dataclass(frozen=True)
class Spread:
    """A metric over runs.

    Attributes:
        mean: over the runs, in the metric's unit.
        deviation: sample standard deviation over the runs, in the same unit; None of a single run.
        n: number of runs.
    """

    mean: float
    deviation: float | None
    n: int


def spread(values: Sequence[float]) -> Spread:
    """The spread of one value per run; at least one."""
    return Spread(fmean(values), stdev(values) if len(values) > 1 else None, len(values))


def alike(
    first: Spread, second: Spread, first_error: float | None = None, second_error: float | None = None
) -> bool | None:
    """Whether two means cannot be told apart; None where nothing is known of their noise.

    Over several runs by Welch's t-test (Biometrika 34, 1947), which does not need equal variances. Of single runs by
    the standard errors from the finite number of images.

    Args:
        first: one spread.
        second: the other one.
        first_error: standard error of the first value if it is a single run.
        second_error: standard error of the second one.
    """
    if first.mean == second.mean:
        return True
    if first.deviation is not None and second.deviation is not None:
        if first.deviation == second.deviation == 0.0:
            return False
        from scipy.stats import ttest_ind_from_stats  # takes half a second

        test = ttest_ind_from_stats(
            first.mean, first.deviation, first.n, second.mean, second.deviation, second.n, equal_var=False
        )
        return bool(test.pvalue >= LEVEL)
    if first.n == second.n == 1 and first_error is not None and second_error is not None:
        return abs(first.mean - second.mean) <= Z * hypot(first_error, second_error)
    return None
