"""What `solve` hands back: a verified selection and assignment, a proven bound, and how both came about.

Everything here is plain data; `Solution.summary()` and `Log.rows()` are ready for JSON.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from tuner.qpm.program.problem import Bools, Ints

Status = Literal["optimal", "gap", "deadline", "interrupted"]


@dataclass(frozen=True)
class Moment:
    """One step of the race between incumbent and bound.

    `source` says what moved: `greedy`, `warm start`, `swaps`, `distinct swaps`, `rounding`, `kick`, `tree` for
    incumbents; `price`, `root`, `tree` for bounds.
    """

    seconds: float
    incumbent: float
    bound: float
    source: str
    nodes: int = 0


@dataclass
class Log:
    """The story of one solve: moments in order, and counts.

    `bound_from` names the last argument that lowered the bound, `fixed` the candidates that reduced cost excluded,
    `nodes` and `lp_iterations` are those of all levels' trees together.
    """

    moments: list[Moment] = field(default_factory=list)
    cuts: dict[str, int] = field(default_factory=dict)
    nodes: int = 0
    fixed: int = 0
    lp_iterations: int = 0
    bound_from: str = ""
    phases: dict[str, float] = field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        """The moments as JSON rows."""
        return [{key: _plain(value) for key, value in asdict(moment).items()} for moment in self.moments]

    def as_json(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {**asdict(self), "moments": self.rows()}


@dataclass(frozen=True, eq=False)
class Solution:
    """A verified answer with its proof.

    Args:
        features: (n_features,) sorted candidate indices.
        assignment: (n_classes, n_features) bool; column j belongs to features[j].
        objective: value of the program; bound: no solution is above it; gap: (bound - objective) / |objective|.
        seconds: wall time.
        status: `optimal` (bound = objective), `gap` (asked gap reached), `deadline`, or `interrupted` (Ctrl-C).
        log: how it came about.
        reach: (class, rank of theta) of the root's binding eta cuts, a head start for a neighbouring setting.
    """

    features: Ints
    assignment: Bools
    objective: float
    bound: float
    gap: float
    seconds: float
    status: Status
    log: Log
    reach: tuple[Ints, Ints] = field(default_factory=lambda: (np.zeros(0, np.int64), np.zeros(0, np.int64)))

    def summary(self) -> dict[str, Any]:
        """The figures without arrays, ready for JSON."""
        return {
            "objective": self.objective,
            "bound": self.bound,
            "gap": self.gap,
            "seconds": self.seconds,
            "status": self.status,
            "log": self.log.as_json(),
        }


def _plain(value: Any) -> Any:
    """JSON has no infinity: a bound not yet known is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def relative_gap(bound: float, objective: float) -> float:
    """(bound - objective) / |objective|, the gap of QP.md; zero when both agree."""
    return max(bound - objective, 0.0) / max(abs(objective), 1e-9)
