"""The quadratic program behind a QPM head: choose N features, k of them for each class, and prove how good that is.

A small library that can be used alone. It needs NumPy, SciPy, threadpoolctl and PySCIPOpt; `import tuner.qpm.program`
loads none of the solver. From features and labels to a solution with a proven gap:

>>> import numpy as np
>>> from tuner.qpm.program import problem_from_features, solve
>>> rng = np.random.default_rng(0)
>>> labels = np.repeat(np.arange(6), 20)  # 120 images of 6 classes
>>> features = rng.random((120, 30))  # 30 features of each image
>>> features += (rng.random((6, 30)) > 0.7)[labels]  # most features answer to some classes
>>> problem, kept, info = problem_from_features(features, labels, n_features=8, features_per_class=3)
>>> problem
Problem(30 candidates, 6 classes, n_features=8, features_per_class=3, 14 penalised pairs)
>>> solution = solve(problem, gap=0.001)
>>> solution.gap <= 0.001
True
>>> solution.assignment.shape  # (n_classes, n_features): which class has which feature
(6, 8)
>>> kept[solution.features]  # the columns of `features` that are selected
array([ 1,  8, 10, 19, 20, 22, 26, 29])

Names:

- `problem_from_features` makes a `Problem` from features; `Problem(relevance, pairs, ...)` takes coefficients. `save`
  and `load` keep one in a file; `check_feasible` says by arithmetic whether sizes can be satisfied.
- `solve` returns a `Solution`: selection, assignment, objective, bound, gap, and a `Log` of `Moment`s. Its `warm_start`
  takes the solution of other sizes. `SolverOptions` holds what shapes a solve.

Inside, imports run one way: solver > tree > bound, improvement > state > units, listener > primal, cuts > solution >
instance > options. How selections are found stands in `primal` and `improvement`; how a bound is proven in `cuts`,
`bound` and `tree`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuner.base.lazy import lazy_attributes
from tuner.qpm.program.instance.problem import Problem
from tuner.qpm.program.instance.sizes import check_feasible
from tuner.qpm.program.options import SolverOptions
from tuner.qpm.program.solution import Log, Moment, Solution

if TYPE_CHECKING:
    from tuner.qpm.program.instance.coefficients import FromFeatures, problem_from_features
    from tuner.qpm.program.instance.files import load, save
    from tuner.qpm.program.solver import solve

__all__ = [
    "FromFeatures",
    "Log",
    "Moment",
    "Problem",
    "Solution",
    "SolverOptions",
    "check_feasible",
    "load",
    "problem_from_features",
    "save",
    "solve",
]

__getattr__, _ = lazy_attributes(
    __name__,
    {
        "tuner.qpm.program.instance.coefficients": ("FromFeatures", "problem_from_features"),
        "tuner.qpm.program.instance.files": ("load", "save"),
        "tuner.qpm.program.solver": ("solve",),
    },
)


def __dir__() -> list[str]:
    """The public names, for completion in a notebook."""
    return sorted(__all__)
