"""Branch and cut in SCIP over (s, eta, z, y), started from the root's binding rows (docs/explanation/program.md#tree).

Only candidates that the root has not fixed enter the model. SCIP is given the cutoff as objective limit: a subtree that
cannot beat the objective by more than the present level is pruned, so the level also strengthens its fixings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from pyscipopt import Model, quicksum
from pyscipopt.scip import PY_SCIP_PARAMSETTING as SCIP_PARAMSETTING

from tuner.errors import UsageError
from tuner.qpm.program.bound.relaxation import Row
from tuner.qpm.program.bound.root import Root
from tuner.qpm.program.instance.arrays import Ints
from tuner.qpm.program.instance.problem import Problem
from tuner.qpm.program.state import SolveState
from tuner.qpm.program.tree.constraint_handler import TreeHandler, Variables
from tuner.qpm.program.tree.node_selection import BucketSelection

_PARAMETERS: dict[str, Any] = {
    "constraints/qpm/sepafreq": 1,
    "separating/maxrounds": 1,  # a node's bound gains more by branching than by a second round
    "separating/maxroundsroot": -1,
    "separating/maxcuts": 100000,
    "separating/maxcutsroot": 100000,
    "separating/maxstallrounds": 30,
    "separating/maxstallroundsroot": 100,
    "lp/pricing": "s",
    "branching/relpscost/priority": 100000,  # look far ahead while the first branchings are chosen: they matter most,
    "branching/relpscost/maxlookahead": 30,  # and every later choice is made from what was seen then
    "branching/relpscost/initcand": 100,
    "branching/relpscost/inititer": 0,  # to the end
    "branching/relpscost/minreliable": 1000.0,
    "branching/relpscost/maxreliable": 1000.0,
    "branching/relpscost/sbiterofs": 20_000,  # simplex iterations of the first looks,
    "branching/relpscost/sbiterquot": 0.05,  # and of later ones, as a share of what the nodes take
    "misc/usesymmetry": 0,
    "misc/catchctrlc": False,
    "conflict/enable": False,
    "display/verblevel": 0,
}
_OWN = "constraints/qpm/"
_ARGUMENTS = {
    "limits/time": "set deadline_s of solve",
    "timing/clocktype": "set clock of solve",
    "randomization/randomseedshift": "set seed of solve",
}


def branch_and_cut(state: SolveState, root: Root, rng: np.random.Generator, seed: int) -> int:
    """Run the tree until the solve is finished or every subtree is pruned.

    Args:
        state: holds incumbent and bound; both are improved in place.
        root: the solved root relaxation.
        rng: for the swaps inside callbacks.
        seed: SCIP's random seed shift.

    Returns:
        How many nodes the tree had.
    """
    live = np.flatnonzero(~root.fixed_out)
    if len(live) < state.problem.n_features or int(root.fixed_in.sum()) > state.problem.n_features:
        state.prove(state.cutoff, "root")
        return 0
    before = state.log.nodes
    model = Model("qpm")
    try:
        with state.solver_at_work("tree"):
            _run(model, state, root, live, rng, seed)
    finally:
        model.free()  # model and handler hold each other: else SCIP stays until some garbage collection, or the exit
    return state.log.nodes - before


def _run(model: Any, state: SolveState, root: Root, live: Ints, rng: np.random.Generator, seed: int) -> None:
    """Build the model, run it, and bring what it found to the state, however it ends."""
    problem = _restricted(state.problem, live)
    variables = _variables(model, root, problem, live)
    _rows(model, root, live, variables)
    handler = TreeHandler(state, problem, live, variables, rng)
    model.includeConshdlr(
        handler,
        "qpm",
        "values of classes, penalties of pairs, distinct rows",
        sepapriority=1000,
        enfopriority=-10,
        chckpriority=-10,
        sepafreq=1,
        propfreq=-1,
        eagerfreq=-1,
        maxprerounds=0,
        delaysepa=False,
        needscons=True,
    )
    model.addPyCons(model.createCons(handler, "structure"))
    selection = BucketSelection(state)
    model.includeNodesel(selection, "buckets", "the newest node of the bucket with the largest gap", 10**7, 10**7)
    _configure(model, state, seed)
    model.setObjlimit(state.cutoff)
    whole = False
    try:
        model.optimizeNogil()  # without the GIL, so that the listener's thread can run
        whole = handler.error is None
    finally:
        _conclude(model, handler, state, whole)
        if handler.error is not None:  # SCIP knows it only as "unspecified"
            raise handler.error


def _restricted(problem: Problem, live: Ints) -> Problem:
    """The instance over the candidates that are left."""
    place = np.full(problem.n_candidates, -1, dtype=np.int64)
    place[live] = np.arange(len(live))
    i, j, weight = problem.pairs
    inside = (place[i] >= 0) & (place[j] >= 0) & (weight > 0)
    pairs = (place[i[inside]], place[j[inside]], weight[inside])
    return replace(problem, relevance=problem.relevance[live], pairs=pairs, bias=problem.linear[live])


def _variables(model: Any, root: Root, problem: Problem, live: Ints) -> Variables:
    """s, eta, y for the pairs the root met, one star z for the other pairs of each owner (the busier end)."""
    n, k = problem.n_candidates, problem.features_per_class
    s = [model.addVar(f"s{f}", "B", lb=float(root.fixed_in[live[f]])) for f in range(n)]
    top = problem.ranked[:k].sum(axis=0).tolist()
    eta = [model.addVar(f"eta{c}", "C", lb=None, ub=top[c]) for c in range(problem.n_classes)]
    own_y = set(root.lp.pair_of)
    i, j, weight = problem.pairs
    has_y = np.array([(a, b) in own_y for a, b in zip(live[i].tolist(), live[j].tolist(), strict=True)], dtype=bool)
    y = [model.addVar(f"y{q}", "C", lb=0.0, ub=1.0) for q in np.flatnonzero(has_y).tolist()]
    degree = (problem.penalty > 0).sum(axis=1)
    a, b = i[~has_y], j[~has_y]
    owner, other = np.where(degree[a] >= degree[b], a, b), np.where(degree[a] >= degree[b], b, a)
    owners, slot = np.unique(owner, return_inverse=True)
    z = [model.addVar(f"z{f}", "C", lb=0.0) for f in owners.tolist()]
    value = quicksum(b * v for b, v in zip(problem.linear.tolist(), s, strict=True))
    value += quicksum(problem.scale * v for v in eta) - quicksum(z)
    value -= quicksum(r * v for r, v in zip(weight[has_y].tolist(), y, strict=True))
    model.setObjective(value, "maximize")
    model.addCons(quicksum(s) == problem.n_features, "cardinality")
    return Variables(s, eta, z, y, (i[has_y], j[has_y]), (owner, other, weight[~has_y]), slot, owners)


def _rows(model: Any, root: Root, live: Ints, variables: Variables) -> None:
    """The root's binding rows as removable constraints; terms of fixed candidates vanish with them."""
    n, n_classes = root.problem.n_candidates, root.problem.n_classes
    column: dict[int, Any] = {f: variables.s[p] for p, f in enumerate(live.tolist())}
    column.update({n + c: eta for c, eta in enumerate(variables.eta)})
    i, j = variables.y_pairs
    y_of = dict(zip(zip(live[i].tolist(), live[j].tolist(), strict=True), variables.y, strict=True))
    column.update({n + n_classes + q: y_of[pair] for q, pair in enumerate(root.lp.pair_of) if pair in y_of})
    alive = set(live.tolist())
    for row, dual in zip(root.lp.rows, root.lp.duals, strict=False):
        if abs(dual) > 1e-9 and row.kind != "cardinality":
            terms = _terms(row, column, alive, n, n_classes, root.lp.pair_of)
            if terms:
                model.addCons(quicksum(coef * v for coef, v in terms) <= row.side, removable=True)


def _terms(
    row: Row, column: dict[int, Any], alive: set[int], n: int, n_classes: int, pair_of: list[tuple[int, int]]
) -> list[tuple[float, Any]]:
    """(coefficient, variable) of a row; nothing if the row needs a y the model does not have."""
    terms = []
    for col, coef in zip(row.cols.tolist(), row.coefs.tolist(), strict=True):
        if col in column:
            terms.append((coef, column[col]))
        elif col >= n + n_classes and alive.issuperset(pair_of[col - n - n_classes]):
            return []
    return terms


def check_parameters(given: Mapping[str, Any]) -> None:
    """Refuse parameters that SCIP does not take, before any work is done.

    Raises:
        UsageError: naming the first one, or one that an argument of `solve` sets.
    """
    model = Model()
    for name, value in given.items():
        if name in _ARGUMENTS:
            raise UsageError(f"option scip = {{{name!r}: {value!r}}}", "a parameter that is free", _ARGUMENTS[name])
        if name.startswith(_OWN):  # of our handler, which this model does not have
            continue
        try:
            model.setParam(name, value)
        except Exception as error:  # PySCIPOpt raises many kinds
            raise UsageError(
                f"option scip = {{{name!r}: {value!r}}}", f"a parameter of SCIP ({error})", "check name, type and range"
            ) from None


def _configure(model: Any, state: SolveState, seed: int) -> None:
    model.setPresolve(SCIP_PARAMSETTING.OFF)
    model.setHeuristics(SCIP_PARAMSETTING.OFF)
    model.setSeparating(SCIP_PARAMSETTING.OFF)  # also turns our own handler off: _PARAMETERS turns it on again
    model.setParams({**_PARAMETERS, **state.options.scip})
    model.setParam("timing/clocktype", 2 if state.clock == "wall" else 1)
    model.setParam("limits/time", state.left)
    model.setParam("randomization/randomseedshift", seed)


def _conclude(model: Any, handler: TreeHandler, state: SolveState, whole: bool) -> None:
    """Record what the tree ended with; if it did not fail, but ended for no reason of ours, that is trouble."""
    log, status = state.log, model.getStatus()
    log.nodes += int(model.getNTotalNodes())
    log.lp_iterations += handler.iterations()
    for kind, count in handler.counts.items():
        log.cuts[kind] = log.cuts.get(kind, 0) + count
    for solution in model.getSols():
        state.offer(handler.live[[f for f, v in enumerate(handler.variables.s) if solution[v] > 0.5]], "tree")
    if whole and status in ("optimal", "infeasible"):
        state.prove(state.cutoff, "tree", log.nodes)
    elif abs(model.getDualbound()) < model.infinity():
        state.prove(max(float(model.getDualbound()), state.cutoff), "tree", log.nodes)
    if status == "timelimit":
        state.cut_short = True
    elif whole and status not in ("optimal", "infeasible", "userinterrupt"):
        log.trouble.append(f"tree: SCIP ended with the status {status}")
