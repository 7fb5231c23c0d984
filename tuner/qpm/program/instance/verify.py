"""The judge: checks a solution against the constraints from scratch, trusting nothing the solver said.

Used on every answer before it is returned, and by whoever loads one from a store.
"""

import numpy as np

from tuner.errors import TunerError
from tuner.qpm.program.instance.problem import Problem
from tuner.qpm.program.solution import Solution

TOLERANCE = 1e-6


def verify(problem: Problem, solution: Solution) -> None:
    """Raise TunerError with the first violated constraint, or return.

    Args:
        problem: the instance.
        solution: the answer to judge.
    """
    features, rows = np.asarray(solution.features), np.asarray(solution.assignment)
    n, k = problem.n_features, problem.features_per_class
    _require(features.shape == (n,), f"{features.shape} features selected", f"exactly {n}")
    _require(np.issubdtype(features.dtype, np.integer), f"features of type {features.dtype}", "integers")
    _require(bool((np.diff(features) > 0).all()), "features not sorted or doubled", "strictly rising indices")
    inside = int(features[0]) >= 0 and int(features[-1]) < problem.n_candidates
    _require(inside, f"features {features[0]}..{features[-1]}", f"candidates 0..{problem.n_candidates - 1}")
    shape = (problem.n_classes, n)
    _require(rows.shape == shape and rows.dtype == np.bool_, f"assignment {rows.dtype} {rows.shape}", f"bool {shape}")
    counts = rows.sum(axis=1)
    wrong = int(np.argmax(counts != k))
    _require(bool((counts == k).all()), f"class {wrong} has {counts[wrong]} features", f"exactly {k} a class")
    same = _first_duplicate(rows)
    _require(same is None, f"classes {same} have the same features", "distinct rows")
    if problem.forced is not None:
        c, d = problem.forced
        shared = (rows[c] & rows[d]).sum(axis=1)
        first = int(np.argmax(shared != k - 1)) if len(c) else 0
        _require(
            bool((shared == k - 1).all()),
            f"forced classes {c[first : first + 1]}, {d[first : first + 1]} share {shared[first : first + 1]}",
            f"exactly {k - 1} shared features",
        )
    value = problem.objective(features, rows)
    slack = TOLERANCE * max(abs(value), TOLERANCE * problem.size)
    _require(abs(value - solution.objective) <= slack, f"objective {solution.objective} stated", f"{value}")
    _require(solution.bound >= value - slack, f"bound {solution.bound} below {value}", "bound >= objective")


def _require(holds: bool, what: str, expected: str) -> None:
    if not holds:
        raise TunerError(f"the solution violates a constraint: {what}", expected, "report this: it is a defect")


def _first_duplicate(rows: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> tuple[int, int] | None:
    seen: dict[bytes, int] = {}
    for index, row in enumerate(np.packbits(rows, axis=1)):
        first = seen.setdefault(row.tobytes(), index)
        if first != index:
            return first, index
    return None
