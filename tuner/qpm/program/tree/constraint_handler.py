"""The constraint handler of the tree: all constraints that link (s, eta, z, y), separated lazily
(docs/explanation/program.md#tree).

- eta: each class's closed-form inequality at the point (class_values.py);
- star: z_i >= sum_{j in V} r_ij (s_i + s_j - 1), V the owned pairs with a positive term, for pairs without a y;
- pair and clique: y_ij >= s_i + s_j - 1 and cliques.py for the pairs with a y (those the root met);
- group: distinct rows, in enforcement only; every selection met there is repaired and offered as incumbent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyscipopt import Conshdlr
from pyscipopt.scip import PY_SCIP_RESULT as SCIP_RESULT

from tuner.qpm.program.cuts import class_values
from tuner.qpm.program.cuts.cliques import CliqueCut, violated_cliques
from tuner.qpm.program.instance.arrays import Floats, Ints
from tuner.qpm.program.instance.problem import Problem
from tuner.qpm.program.primal.distinct import distinct_rows, group_cut
from tuner.qpm.program.primal.tabu import descend
from tuner.qpm.program.state import SolveState

_CUT = 1e-6
_CHECK = 2e-6
_WORTH_RECORDING = 0.01  # a bound that closes less of the open gap is not a moment of its own


@dataclass
class Variables:
    """The model's variables; pairs are split into those with their own y and those summed up in stars."""

    s: list[Any]
    eta: list[Any]
    z: list[Any]
    y: list[Any]
    y_pairs: tuple[Ints, Ints]
    star: tuple[Ints, Ints, Floats]  # owner and other end (candidates), weight
    star_slot: Ints  # (n_star_pairs,) index into z
    owners: Ints  # (len(z),) candidate that owns each z

    def groups(self) -> list[list[Any]]:
        """The four families in the order the handler reads them."""
        return [self.s, self.eta, self.z, self.y]


class TreeHandler(Conshdlr):
    """Separation, enforcement and check of the program's structure.

    Args:
        state: incumbent and bound of the whole problem.
        problem: the instance over the live candidates.
        live: (n_live,) their indices in the whole problem.
        variables: of the model.
        rng: for the swaps that improve a selection.
    """

    def __init__(
        self, state: SolveState, problem: Problem, live: Ints, variables: Variables, rng: np.random.Generator
    ) -> None:
        self.state, self.problem, self.live, self.variables, self.rng = state, problem, live, variables, rng
        self.options = state.options
        self.transformed: list[list[Any]] | None = None
        self.error: BaseException | None = None
        self.counts = {"eta": 0, "star": 0, "pair": 0, "clique": 0, "group": 0}
        i, j = variables.y_pairs
        self.has_y = np.zeros((problem.n_candidates, problem.n_candidates), dtype=bool)
        self.has_y[i, j] = self.has_y[j, i] = True
        self.slot = {pair: q for q, pair in enumerate(zip(i.tolist(), j.tolist(), strict=True))}
        self.rounds = 0
        self.ceiling = state.bound

    # -- what SCIP calls ---------------------------------------------------------------------------------------

    def conssepalp(self, constraints: list[Any], nusefulconss: int) -> dict[str, Any]:
        """Cut off the LP solution of a node."""
        return self._guarded(self._separate_node, SCIP_RESULT.DIDNOTFIND)

    def consenfolp(self, constraints: list[Any], nusefulconss: int, solinfeasible: bool) -> dict[str, Any]:
        """An integral selection: exact structure, then distinct rows."""
        return self._guarded(self._enforce, SCIP_RESULT.FEASIBLE)

    def consenfops(
        self, constraints: list[Any], nusefulconss: int, solinfeasible: bool, objinfeasible: bool
    ) -> dict[str, Any]:
        """No decision without an LP."""
        return {"result": SCIP_RESULT.SOLVELP}

    def conscheck(self, constraints: list[Any], solution: Any, *flags: Any) -> dict[str, Any]:
        """Whether a solution is one."""
        return self._guarded(lambda: self._check(solution), SCIP_RESULT.INFEASIBLE)

    def conslock(self, constraint: Any, locktype: Any, nlockspos: int, nlocksneg: int) -> None:
        """Every variable may be rounded neither way."""
        both = nlockspos + nlocksneg
        for family in self.variables.groups():
            for variable in family:
                self.model.addVarLocksType(variable, locktype, both, both)

    # -- inside ------------------------------------------------------------------------------------------------

    def _guarded(self, work: Any, otherwise: Any) -> dict[str, Any]:
        """An exception in a callback would be swallowed by SCIP: keep it, stop, and let the tree raise it."""
        try:
            return {"result": work()}
        except BaseException as error:
            self.error = self.error or error
            self.model.interruptSolve()
            return {"result": otherwise}

    def _values(self, solution: Any) -> list[Floats]:
        value = self.model.getSolVal
        return [np.array([value(solution, v) for v in family]) for family in self.variables.groups()]

    def _columns(self) -> list[list[Any]]:
        if self.transformed is None:
            find = self.model.getTransformedVar
            self.transformed = [[find(v) for v in family] for family in self.variables.groups()]
        return self.transformed

    def _row(self, kind: str, columns: Sequence[Any], coefs: Floats, side: float) -> None:
        """Add columns . coefs <= side, valid everywhere."""
        model = self.model
        row = model.createEmptyRowUnspec(
            kind, lhs=-model.infinity(), rhs=side, local=False, modifiable=False, removable=True
        )
        model.cacheRowExtensions(row)
        for column, coef in zip(columns, coefs.tolist(), strict=True):
            model.addVarToRow(row, column, coef)
        model.flushRowExtensions(row)
        model.addCut(row, forcecut=True)
        model.releaseRow(row)
        self.counts[kind] += 1

    def iterations(self) -> int:
        """Simplex iterations of this tree, with those of strong branching."""
        return int(self.model.getNLPIterations() + self.model.getNStrongbranchLPIterations())

    def _report(self) -> None:
        """Record the tree's bound, and stop SCIP when the solve is finished: by counts alone, unless time is up."""
        state, bound = self.state, float(self.model.getDualbound())
        if abs(bound) < self.model.infinity():
            bound = max(bound, state.cutoff)
            nodes = state.log.nodes + int(self.model.getNTotalNodes())  # those of the levels before and these
            if state.bound - bound > _WORTH_RECORDING * (state.bound - state.cutoff):
                state.prove(bound, "tree", nodes)
            state.note(bound, nodes)
        if state.level_reached() or state.out_of_effort(self.iterations()) or state.out_of_time():
            self.model.interruptSolve()

    def _separate_node(self) -> Any:
        self._report()
        values = self._values(None)
        self._polish(values[0])
        return SCIP_RESULT.SEPARATED if self._separate(values) else SCIP_RESULT.DIDNOTFIND

    def _polish(self, s: Floats) -> None:
        """Round the point and improve it by swaps, once in some rounds: by count, so that a seed repeats its answer."""
        self.rounds += 1
        if self.rounds % self.options.polish_every:
            return
        rounded = np.argsort(-s, kind="stable")[: self.problem.n_features]
        better, _ = descend(self.problem, rounded, self.rng, 0, self.state.out_of_time, self.options)
        self._offer(better)

    def _offer(self, selection: Ints) -> None:
        before = self.state.objective
        self.state.offer(self.live[selection], "tree")
        if self.state.objective > before:
            self.model.setObjlimit(self.state.cutoff)

    def _separate(self, values: list[Floats], exact_only: bool = False) -> int:
        s, eta, z, y = values
        variables, (S, E, Z, Y) = self.variables, self._columns()
        found = 0
        cuts = class_values.tightest(self.problem, s)
        tolerance = _CUT if exact_only else max(_CUT, self._class_tolerance())
        for c in np.flatnonzero(eta - cuts.value > tolerance).tolist():
            features, gain, side = class_values.row(self.problem, c, int(cuts.rank[c]))
            self._row("eta", [*(S[f] for f in features), E[c]], np.append(-gain, 1.0), side)
            found += 1
        owner, other, weight = variables.star
        active = s[owner] + s[other] - 1.0 > 1e-9
        total = self._star_totals(s, active)
        for slot in np.flatnonzero(total - z > _CUT).tolist():
            members = np.flatnonzero(active & (variables.star_slot == slot))
            r = weight[members]
            columns = [Z[slot], S[variables.owners[slot]], *(S[j] for j in other[members])]
            self._row("star", columns, np.concatenate([[-1.0, r.sum()], r]), float(r.sum()))
            found += 1
        i, j = variables.y_pairs
        for q in np.flatnonzero(s[i] + s[j] - 1.0 - y > _CUT).tolist():
            self._row("pair", [Y[q], S[i[q]], S[j[q]]], np.array([-1.0, 1.0, 1.0]), 1.0)
            found += 1
        if len(y) and not exact_only:
            for cut in self._cliques(s, y):
                columns = [*(S[f] for f in cut.members), *(Y[self.slot[pair]] for pair in cut.pairs)]
                coefs = np.concatenate([np.full(len(cut.members), float(cut.t)), np.full(len(cut.pairs), -1.0)])
                self._row("clique", columns, coefs, cut.side)
                found += 1
        return found

    def _cliques(self, s: Floats, y: Floats) -> list[CliqueCut]:
        options = self.options
        most, least, max_t = options.node_cliques, options.node_clique_violation, options.largest_clique_rank
        return violated_cliques(self.has_y, s, self.variables.y_pairs, y, most, least, max_t)

    def _class_tolerance(self) -> float:
        """How far the value of a class may be off for now, in units of relevance."""
        return self.options.node_class_share * self._open_gap() / self.problem.n_classes / self.problem.scale

    def _open_gap(self) -> float:
        """What the tree has still to prove, the same in every run with the same seed."""
        return float(min(self.model.getDualbound(), self.ceiling)) - self.state.cutoff

    def _star_totals(self, s: Floats, active: np.ndarray) -> Floats:
        owner, other, weight = self.variables.star
        worth = np.where(active, weight * (s[owner] + s[other] - 1.0), 0.0)
        return np.bincount(self.variables.star_slot, worth, len(self.variables.z)).astype(np.float64)

    def _enforce(self) -> Any:
        values = self._values(None)
        if self._separate(values, exact_only=True):
            return SCIP_RESULT.SEPARATED
        selection = np.flatnonzero(values[0] > 0.5)
        self._offer(selection)
        _, groups = distinct_rows(self.problem.relevance[selection], self.problem.features_per_class)
        cut = 0
        S, E = self._columns()[:2]
        for group in groups:
            if values[1][group.classes].sum() > group.best + _CUT:
                others, coefs = group_cut(self.problem, selection, group)
                columns = [*(E[c] for c in group.classes), *(S[j] for j in others)]
                self._row("group", columns, np.concatenate([np.ones(len(group.classes)), -coefs]), group.best)
                cut += 1
        return SCIP_RESULT.SEPARATED if cut else SCIP_RESULT.FEASIBLE

    def _check(self, solution: Any) -> Any:
        s, eta, z, y = self._values(solution)
        s = np.round(s)
        holds = bool((eta - class_values.tightest(self.problem, s).value <= _CHECK).all())
        if holds and len(z):
            owner, other, _ = self.variables.star
            holds = bool((self._star_totals(s, s[owner] + s[other] > 1.5) - z <= _CHECK).all())
        if holds and len(y):
            i, j = self.variables.y_pairs
            holds = bool((s[i] * s[j] - y <= _CHECK).all())
        if holds:
            selection = np.flatnonzero(s > 0.5)
            _, groups = distinct_rows(self.problem.relevance[selection], self.problem.features_per_class)
            holds = all(eta[group.classes].sum() <= group.best + _CHECK for group in groups)
        return SCIP_RESULT.FEASIBLE if holds else SCIP_RESULT.INFEASIBLE
