"""Which solved setting to start from: the nearest in (n_features, features_per_class).

A neighbour's selection, brought to size and improved by swaps alone, lands within 0.1 % of what the cold tabu search
finds in many times the time (QP.md 3), so a search hands the nearest solved setting of the same dense model over.
"""

from collections.abc import Iterable
from math import log

Setting = tuple[int, int]


def distance(a: Setting, b: Setting) -> float:
    """How far two settings (n_features, features_per_class) are: |log N/N'| + |log k/k'| / 2."""
    return abs(log(a[0] / b[0])) + abs(log(a[1] / b[1])) / 2


def nearest(setting: Setting, solved: Iterable[Setting]) -> Setting | None:
    """The solved setting nearest to `setting`, the larger of two equally near; None if none is solved."""
    return min(solved, key=lambda other: (distance(setting, other), -other[0], -other[1]), default=None)
