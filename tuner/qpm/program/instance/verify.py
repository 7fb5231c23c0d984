"""An independent check of a solution that does not rely on the solver.

Used for every solution before it is returned, and after one is loaded from a store.
"""

from typing import Protocol

import numpy as np

from tuner.errors import TunerError
from tuner.qpm.program.instance.arrays import Bools, Ints

TOLERANCE = 1e-6  # of objective and bound, relative


class Answer(Protocol):
    """What is checked of a solution."""

    @property
    def features(self) -> Ints:
        """(n_features,) candidate indices."""

    @property
    def assignment(self) -> Bools:
        """(n_classes, n_features) which class has which feature."""

    @property
    def objective(self) -> float:
        """Value stated."""

    @property
    def bound(self) -> float:
        """Bound stated: no solution is above it."""


def check_assignment(
    answer: Answer,
    *,
    n_candidates: int,
    n_classes: int,
    n_features: int,
    features_per_class: int,
    forced: tuple[Ints, Ints] | None = None,
) -> None:
    """Check selection and rows against the constraints of a problem of these sizes.

    Args:
        answer: the answer to check.
        n_candidates: features to choose from.
        n_classes: number of classes (C).
        n_features: features to be chosen (N).
        features_per_class: features of each class (k).
        forced: class pairs that must share exactly k - 1 features.

    Raises:
        TunerError: naming the first constraint that is violated.
    """
    features, rows, k = np.asarray(answer.features), np.asarray(answer.assignment), features_per_class
    _require(features.shape == (n_features,), f"{features.shape} features selected", f"exactly {n_features}")
    _require(np.issubdtype(features.dtype, np.integer), f"features of type {features.dtype}", "integers")
    _require(bool((np.diff(features) > 0).all()), "features not sorted or doubled", "strictly rising indices")
    inside = int(features[0]) >= 0 and int(features[-1]) < n_candidates
    _require(inside, f"features {features[0]}..{features[-1]}", f"candidates 0..{n_candidates - 1}")
    shape = (n_classes, n_features)
    _require(rows.shape == shape and rows.dtype == np.bool_, f"assignment {rows.dtype} {rows.shape}", f"bool {shape}")
    counts = rows.sum(axis=1)
    wrong = int(np.argmax(counts != k))
    _require(bool((counts == k).all()), f"class {wrong} has {counts[wrong]} features", f"exactly {k} per class")
    same = _first_duplicate(rows)
    _require(same is None, f"classes {same} have the same features", "distinct rows")
    if forced is not None:
        c, d = forced
        shared = (rows[c] & rows[d]).sum(axis=1)
        first = int(np.argmax(shared != k - 1)) if len(c) else 0
        _require(
            bool((shared == k - 1).all()),
            f"forced classes {c[first : first + 1]}, {d[first : first + 1]} share {shared[first : first + 1]}",
            f"exactly {k - 1} shared features",
        )


def check_figures(answer: Answer, value: float, size: float) -> None:
    """Check the objective and the bound that an answer states.

    Args:
        answer: the answer to check.
        value: its recomputed objective.
        size: of the problem: what is small beside it is rounding.

    Raises:
        TunerError: naming the figure that is wrong.
    """
    slack = TOLERANCE * max(abs(value), TOLERANCE * size)
    _require(abs(value - answer.objective) <= slack, f"objective {answer.objective} stated", f"{value}")
    _require(answer.bound >= value - slack, f"bound {answer.bound} below {value}", "bound >= objective")


def _require(holds: bool, what: str, expected: str) -> None:
    if not holds:
        raise TunerError(f"the solution violates a constraint: {what}", expected, "report this: it is a defect")


def _first_duplicate(rows: Bools) -> tuple[int, int] | None:
    seen: dict[bytes, int] = {}
    for index, row in enumerate(np.packbits(rows, axis=1)):
        first = seen.setdefault(row.tobytes(), index)
        if first != index:
            return first, index
    return None
