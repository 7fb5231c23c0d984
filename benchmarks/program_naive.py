"""The naive formulation of the program: explicit W, W <= s, one y a pair; without distinct rows.

Each model returns (value, bound) after its deadline, None where the solver has none.
"""

from collections.abc import Callable

import numpy as np

from tuner.qpm.program import Problem

Outcome = tuple[float | None, float | None]


def scip(problem: Problem, deadline_s: float) -> Outcome:
    from pyscipopt import Model, quicksum

    n, n_classes = problem.relevance.shape
    model = Model()
    model.hideOutput()
    model.setParam("limits/time", deadline_s)
    s = [model.addVar(vtype="B") for _ in range(n)]
    w = [[model.addVar(vtype="B") for _ in range(n_classes)] for _ in range(n)]
    y = [model.addVar(vtype="C", lb=0) for _ in problem.pairs[0]]
    model.addCons(quicksum(s) == problem.n_features)
    for c in range(n_classes):
        model.addCons(quicksum(w[f][c] for f in range(n)) == problem.features_per_class)
    for f in range(n):
        for c in range(n_classes):
            model.addCons(w[f][c] <= s[f])
    for i, j, v in zip(problem.pairs[0].tolist(), problem.pairs[1].tolist(), y, strict=True):
        model.addCons(v >= s[i] + s[j] - 1)
    gain = (problem.scale * problem.relevance).tolist()
    model.setObjective(
        quicksum(a * v for row, vs in zip(gain, w, strict=True) for a, v in zip(row, vs, strict=True))
        + quicksum(b * v for b, v in zip(problem.linear.tolist(), s, strict=True))
        - quicksum(r * v for r, v in zip(problem.pairs[2].tolist(), y, strict=True)),
        "maximize",
    )
    model.optimize()
    bound = model.getDualbound()
    return (model.getPrimalbound() if model.getNSols() else None), (bound if abs(bound) < 1e19 else None)


def highs(problem: Problem, deadline_s: float) -> Outcome:
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_matrix

    n, n_classes = problem.relevance.shape
    i, j, weight = problem.pairs
    n_w, n_y = n * n_classes, len(i)
    cost = np.concatenate([-problem.linear, -problem.scale * problem.relevance.ravel(), weight])
    w = n + np.arange(n_w).reshape(n, n_classes)
    rows, cols, values, low, high = (
        [np.zeros(n, int)],
        [np.arange(n)],
        [np.ones(n)],
        [problem.n_features],
        [problem.n_features],
    )
    at = 1
    for c in range(n_classes):
        rows.append(np.full(n, at + c)), cols.append(w[:, c]), values.append(np.ones(n))
    low += [problem.features_per_class] * n_classes
    high += [problem.features_per_class] * n_classes
    at += n_classes
    place = at + np.arange(n_w)
    rows += [place, place]
    cols += [w.ravel(), np.repeat(np.arange(n), n_classes)]
    values += [np.ones(n_w), -np.ones(n_w)]
    low, high, at = low + [-np.inf] * n_w, high + [0] * n_w, at + n_w
    place = at + np.arange(n_y)
    rows += [place] * 3
    cols += [n + n_w + np.arange(n_y), i, j]
    values += [np.ones(n_y), -np.ones(n_y), -np.ones(n_y)]
    low, high = low + [-1] * n_y, high + [np.inf] * n_y
    matrix = coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(cols)))).tocsr()
    integral = np.concatenate([np.ones(n + n_w), np.zeros(n_y)])
    found = milp(
        cost,
        integrality=integral,
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(matrix, low, high),
        options={"time_limit": deadline_s},
    )
    value = None if found.x is None else -float(found.fun)
    bound = getattr(found, "mip_dual_bound", None)
    return value, (None if bound is None or not np.isfinite(bound) else -float(bound))


def cp_sat(problem: Problem, deadline_s: float) -> Outcome:
    from ortools.sat.python import cp_model

    n, n_classes = problem.relevance.shape
    model, unit = cp_model.CpModel(), 10**5
    s = [model.new_bool_var("") for _ in range(n)]
    w = [[model.new_bool_var("") for _ in range(n_classes)] for _ in range(n)]
    y = [model.new_bool_var("") for _ in problem.pairs[0]]
    model.add(sum(s) == problem.n_features)
    for c in range(n_classes):
        model.add(sum(w[f][c] for f in range(n)) == problem.features_per_class)
    for f in range(n):
        for c in range(n_classes):
            model.add_implication(w[f][c], s[f])
    for i, j, v in zip(problem.pairs[0].tolist(), problem.pairs[1].tolist(), y, strict=True):
        model.add_bool_or([s[i].negated(), s[j].negated(), v])
    terms = [v for row in w for v in row] + s + y
    prices = np.concatenate([problem.scale * problem.relevance.ravel(), problem.linear, -problem.pairs[2]])
    model.maximize(cp_model.LinearExpr.weighted_sum(terms, np.round(unit * prices).astype(int).tolist()))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = deadline_s
    status = solver.solve(model)
    value = solver.objective_value / unit if status in (cp_model.OPTIMAL, cp_model.FEASIBLE) else None
    return value, solver.best_objective_bound / unit


NAIVE: dict[str, Callable[[Problem, float], Outcome]] = {"SCIP": scip, "HiGHS": highs, "CP-SAT": cp_sat}
