"""The result of `solve`: a verified selection and assignment, a proven bound, and the log of the solve.

Everything here is plain data, ready for JSON in two parts: `summary()` depends on the problem, the options and the
seed alone, `timing()` on the machine too.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from tuner.qpm.program.former import warn
from tuner.qpm.program.instance.arrays import Bools, Ints

Status = Literal["optimal", "gap", "effort", "deadline", "interrupted", "trouble"]


@dataclass(frozen=True)
class Moment:
    """One step in which incumbent and bound came closer.

    `source` says what moved: `greedy`, `warm start`, `swaps`, `distinct swaps`, `rounding`, `perturbation`, `tree` for
    incumbents; `price`, `root`, `tree` for bounds (with forced pairs `explicit` for both, `without forced pairs` for a
    bound). A heartbeat for a listener has `moved` = False, and the stage at work as its source; before the first
    incumbent and bound they are -inf and inf. The log holds no heartbeats.
    """

    seconds: float
    incumbent: float
    bound: float
    source: str
    nodes: int = 0
    moved: bool = True

    def as_json(self) -> dict[str, Any]:
        """A row for JSON; a bound or incumbent not yet known is null."""
        return {key: _plain(value) for key, value in asdict(self).items()}


@dataclass
class Log:
    """What happened in one solve: moments in order, and counts.

    `bound_from` names what lowered the bound last, `fixed` the candidates that reduced cost excluded,
    `nodes` and `lp_iterations` (with those of strong branching) are those of the root and all levels' trees together,
    `trouble` what the solver failed with, a line each. `cuts` counts by kind: `eta` (values of
    classes), `pair`, `star` (pairs of one candidate together), `clique`, `group` (distinct rows). `phases` has the
    seconds at the end of each.
    """

    moments: list[Moment] = field(default_factory=list)
    cuts: dict[str, int] = field(default_factory=dict)
    nodes: int = 0
    fixed: int = 0
    lp_iterations: int = 0
    bound_from: str = ""
    trouble: list[str] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """All but the times."""
        moments = [
            {key: value for key, value in moment.as_json().items() if key not in ("seconds", "moved")}
            for moment in self.moments
        ]
        counts = {"cuts": self.cuts, "nodes": self.nodes, "fixed": self.fixed, "lp_iterations": self.lp_iterations}
        return {"moments": moments, **counts, "bound_from": self.bound_from, "trouble": self.trouble}


@dataclass(frozen=True, eq=False)
class Solution:
    """A verified answer with its proof.

    Args:
        features: (n_features,) sorted candidate indices.
        assignment: (n_classes, n_features) bool; column j belongs to features[j].
        objective: value of the program; bound: no solution is above it; gap: (bound - objective) / |objective|.
        seconds: wall time.
        status: `optimal` (bound = objective), `gap` (target gap reached), `effort` (allowed work done), `trouble` (the
            solver failed: see the log), or cut short by the `deadline` or `interrupted` (Ctrl-C).
        log: how it came about.
        binding_cuts: (class, rank of theta) of the root's binding class-value cuts, two arrays of one length: a warm
            start for other sizes. Called `reach` before version 0.2.
    """

    features: Ints
    assignment: Bools
    objective: float
    bound: float
    gap: float
    seconds: float
    status: Status
    log: Log
    binding_cuts: tuple[Ints, Ints] = field(default_factory=lambda: (np.zeros(0, np.int64), np.zeros(0, np.int64)))

    @property
    def reach(self) -> tuple[Ints, Ints]:
        """The former name of `binding_cuts`."""
        warn("Solution.reach is called binding_cuts now")
        return self.binding_cuts

    @property
    def stopped_by_clock(self) -> bool:
        """Whether the deadline or Ctrl-C cut it short: only then would another run perhaps answer otherwise."""
        return self.status in ("deadline", "interrupted")

    def summary(self) -> dict[str, Any]:
        """The figures that the same problem, options and seed always give, without arrays, ready for JSON."""
        figures = {"objective": self.objective, "bound": self.bound, "gap": self.gap, "status": self.status}
        return {key: _plain(value) for key, value in figures.items()} | {"log": self.log.summary()}

    def timing(self) -> dict[str, Any]:
        """The seconds: in all, at the end of each phase, and of each of the log's moments; ready for JSON."""
        moments = [moment.seconds for moment in self.log.moments]
        return {"seconds": self.seconds, "phases": self.log.phases, "moments": moments}


def _plain(value: Any) -> Any:
    """JSON has no infinity: a bound not yet known is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def relative_gap(bound: float, objective: float, least: float = 1e-9) -> float:
    """(bound - objective) / |objective|, docs/explanation/program.md#gap; zero when both agree.

    Args:
        bound: no solution is above it.
        objective: of a solution.
        least: replaces an objective that is nearer to zero.
    """
    excess = max(bound - objective, 0.0)
    return excess / max(abs(objective), least) if excess else 0.0
