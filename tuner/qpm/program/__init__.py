"""The quadratic program behind a QPM head: choose N features, k of them for each class, and prove how good that is.

Usable alone: `Problem`, `solve`, `Solution`; `coefficients` makes a Problem from features and labels. Needs numpy,
scipy and PySCIPOpt; importing it loads none of the solver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuner.qpm.program.instance.problem import Problem
from tuner.qpm.program.instance.sizes import check_feasible
from tuner.qpm.program.options import SolverOptions
from tuner.qpm.program.solution import Log, Moment, Solution

if TYPE_CHECKING:
    from tuner.qpm.program.solver import solve

__all__ = ["Log", "Moment", "Problem", "Solution", "SolverOptions", "check_feasible", "solve"]


def __getattr__(name: str) -> Any:
    if name == "solve":
        from tuner.qpm.program.solver import solve

        return solve
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
