"""CHiQPM's forced class pairs: named pairs of classes share exactly k - 1 features
(docs/explanation/program.md#forced-pairs).

Exact, and meant for small programs.

Here the assignment does not separate, so it is written out: W <= s, and v_f = W_fc W_fd by three inequalities for
each forced pair, sum_f v_f = k - 1. Distinct rows of other pairs enter the same way (sum v <= k - 1) where a solution
breaks them. The program without forced pairs is a relaxation: its bound holds, and its selection is where we start.
A program too large to be written out ends there, with the best rows of that selection and that bound.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from pyscipopt import Eventhdlr, Model, quicksum
from pyscipopt.scip import PY_SCIP_EVENTTYPE as SCIP_EVENTTYPE

from tuner.base.pulse import beat
from tuner.errors import InfeasibleError, TunerError
from tuner.qpm.program.instance.arrays import Ints
from tuner.qpm.program.primal.distinct import Subset
from tuner.qpm.program.state import SolveState

_LP_OR_NODE = SCIP_EVENTTYPE.FIRSTLPSOLVED | SCIP_EVENTTYPE.LPSOLVED | SCIP_EVENTTYPE.NODESOLVED
_MOST = 2**31 - 1  # of a parameter of SCIP


def solve_forced(state: SolveState, selection: Ints, seed: int) -> None:
    """Best rows for a given selection, then the whole program, until the solve is finished.

    Args:
        state: of the problem with forced pairs; its bound may come from the relaxation.
        selection: (n_features,) sorted candidates to start from.
        seed: SCIP's random seed shift.

    Raises:
        InfeasibleError: when the forced pairs are proven to contradict each other or the distinct rows.
        TunerError: when the search ends before any assignment is found.
    """
    # Rows first: without an assignment there is no answer, so this step may take what it needs within the deadline.
    assert state.problem.forced is not None
    proven, size = False, state.problem.n_candidates * (state.problem.n_classes + len(state.problem.forced[0]))
    with state.solver_at_work("rows"):
        _Explicit(state, seed, selection).run()
    if size <= state.options.explicit_size and not state.finished():
        with state.solver_at_work("explicit"):
            proven = _Explicit(state, seed, None).run()
    if len(state.features):
        return
    if proven:
        raise InfeasibleError("the forced class pairs cannot all be met", "a feasible set of pairs", "force fewer")
    if size > state.options.explicit_size and not state.cut_short and not state.log.trouble:
        raise TunerError(
            "no assignment with the forced class pairs for the features that are best without them",
            "a first assignment",
            "force fewer pairs, or raise n_features",
        )
    raise TunerError(
        state.log.trouble[0] if state.log.trouble else f"no assignment with the forced pairs {_within(state)}",
        "a first assignment",
        "raise effort and deadline_s, or force fewer pairs",
    )


def _within(state: SolveState) -> str:
    return f"within {state.deadline_s} s" if state.cut_short else f"within {state.effort} simplex iterations"


class _Effort(Eventhdlr):
    """Ends a solve on Ctrl-C or when the allowed work is spent; asked after every linear program and every node."""

    def __init__(self, state: SolveState, is_limited: bool) -> None:
        self.state, self.is_limited = state, is_limited

    def eventinit(self) -> None:
        self.model.catchEvent(_LP_OR_NODE, self)

    def eventexit(self) -> None:
        self.model.dropEvent(_LP_OR_NODE, self)

    def eventexec(self, event: Any) -> None:
        beat()
        spent = self.is_limited and self.state.out_of_effort(_iterations(self.model))
        if spent or self.state.interrupted:
            self.model.interruptSolve()


def _iterations(model: Any) -> int:
    return int(model.getNLPIterations() + model.getNStrongbranchLPIterations())


class _Explicit:
    """The program with W written out, over all candidates or one selection."""

    def __init__(self, state: SolveState, seed: int, selection: Ints | None) -> None:
        self.state, self.problem, self.fixed = state, state.problem, selection is not None
        self.candidates = np.arange(self.problem.n_candidates) if selection is None else selection
        self.model = Model("forced pairs")
        self.model.hideOutput()
        self.model.setParam("timing/clocktype", 2 if state.clock == "wall" else 1)
        self.model.setParam("misc/catchctrlc", False)
        self.model.setParam("randomization/randomseedshift", seed)
        handler = _Effort(state, is_limited=selection is None)
        self.model.includeEventhdlr(handler, "effort", "stops when the work is spent")
        self._build()
        self.apart: set[tuple[int, int]] = set()

    def _build(self) -> None:
        problem, model, names = self.problem, self.model, self.candidates.tolist()
        self.s = [model.addVar(f"s{f}", "B", lb=float(self.fixed)) for f in names]
        self.w = [[model.addVar(f"w{f}_{c}", "B") for f in names] for c in range(problem.n_classes)]
        model.addCons(quicksum(self.s) == problem.n_features)
        place = {f: p for p, f in enumerate(names)}
        value: list[Any] = [float(problem.linear[f]) * v for f, v in zip(names, self.s, strict=True)]
        for c, row in enumerate(self.w):
            model.addCons(quicksum(row) == problem.features_per_class)
            for p, v in enumerate(row):
                model.addCons(v <= self.s[p])
                value.append(problem.scale * float(problem.relevance[names[p], c]) * v)
        for i, j, penalty in zip(*(side.tolist() for side in problem.pairs), strict=True):
            if i in place and j in place:
                y = model.addVar("", "C", lb=0.0)
                model.addCons(y >= self.s[place[i]] + self.s[place[j]] - 1)
                value.append(-penalty * y)
        model.setObjective(quicksum(value), "maximize")
        assert problem.forced is not None
        for c, d in zip(*(side.tolist() for side in problem.forced), strict=True):
            model.addCons(self._shared(c, d) == problem.features_per_class - 1)

    def _shared(self, c: int, d: int) -> Any:
        """How many features two classes share, as an expression."""
        products = []
        for a, b in zip(self.w[c], self.w[d], strict=True):
            both = self.model.addVar("", "B")
            self.model.addCons(both <= a)
            self.model.addCons(both <= b)
            self.model.addCons(both >= a + b - 1)
            products.append(both)
        return quicksum(products)

    def run(self) -> bool:
        """Solve until rows are distinct; true if the program is decided (optimal or infeasible)."""
        while not self.state.out_of_time():
            self.model.setParam("limits/time", self.state.left)
            self.model.setParam("limits/gap", self.state.gap)
            if not self.fixed and np.isfinite(self.state.effort_left):
                for name in ("lp/iterlim", "lp/rootiterlim"):
                    self.model.setParam(name, int(min(self.state.effort_left, _MOST)))
            self.model.optimizeNogil()
            status = self.model.getStatus()
            self.state.cut_short |= status == "timelimit"
            self.state.log.lp_iterations += _iterations(self.model)
            if not self.fixed and status in ("optimal", "gaplimit", "timelimit", "userinterrupt"):
                bound = float(self.model.getDualbound())
                if abs(bound) < self.model.infinity() and self.model.getNSols():
                    self.state.prove(bound, "explicit", int(self.model.getNTotalNodes()))
            if not self.model.getNSols():
                return bool(status == "infeasible")
            clashes = self._offer()
            if not clashes or status in ("timelimit", "userinterrupt"):
                return bool(status == "optimal")
            self.model.freeTransform()
            for c, d in clashes:
                self.model.addCons(self._shared(c, d) <= self.problem.features_per_class - 1)
        return False

    def _offer(self) -> list[tuple[int, int]]:
        """Offer SCIP's best solution, or return the class pairs in which it repeats a row."""
        solution: Any = self.model.getBestSol()
        chosen = np.flatnonzero([solution[v] > 0.5 for v in self.s])
        rows: list[Subset] = [
            tuple(p for p, f in enumerate(chosen.tolist()) if solution[row[f]] > 0.5) for row in self.w
        ]
        first: dict[Subset, int] = {}
        clashes = [(first[row], c) for c, row in enumerate(rows) if first.setdefault(row, c) != c]
        if not clashes:
            self.state.offer_rows(self.candidates[chosen], rows, "explicit")
        return clashes
