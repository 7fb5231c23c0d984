"""Distinct rows, exactly: for a fixed selection, the best assignment in which no two classes share a row.

A class in a conflict group of g classes needs only its g best k-subsets, mostly far fewer; each group is then a small
bipartite matching class <-> subset
(docs/explanation/program.md#distinct-rows). The same groups give a cut that holds for every selection:

sum_{c in G} eta_c <= f_G + sum_{j in J} (loss_G + D_j) s_j,   loss_G = (sum of top-k) - f_G,
J = {j outside S: A_jc > t_c for some c in G},  t_c = (k+|G|-1)-th largest A of c in S,
D_j = sum_c max(0, A_jc - theta_c),  theta_c = k-th largest A of c in S.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

import numpy as np
from scipy.optimize import linear_sum_assignment

from tuner.qpm.program.instance.arrays import Bools, Floats, Ints
from tuner.qpm.program.instance.problem import Problem

Subset = tuple[int, ...]
Ranking = list[tuple[float, Subset]]
_NEVER = -1e12  # worth of a subset a class does not list


@dataclass(frozen=True)
class Group:
    """Classes that compete for rows: `best` is the value of their best distinct rows, `free` of their top-k rows."""

    classes: Ints
    best: float
    free: float


def best_subsets(order: Ints, values: Floats, k: int, count: int) -> Ranking:
    """The `count` k-subsets of largest sum, best first, by heap enumeration.

    Args:
        order: (m,) positions by falling value; values: (m,) falling values; only the first k + count - 1 matter.
        k: size of a subset.
        count: how many.
    """
    last = min(len(values), k + count - 1)
    value, name = values[:last].tolist(), order[:last].tolist()
    start = tuple(range(k))
    heap, seen = [(-sum(value[:k]), start)], {start}
    found: Ranking = []
    while heap and len(found) < count:
        cost, picks = heappop(heap)
        found.append((-cost, tuple(sorted(name[p] for p in picks))))
        for q, pick in enumerate(picks):
            up = pick + 1
            if up < last and (q == k - 1 or up < picks[q + 1]):
                moved = (*picks[:q], up, *picks[q + 1 :])
                if moved not in seen:
                    seen.add(moved)
                    heappush(heap, (cost + value[pick] - value[up], moved))
    return found


def distinct_rows(relevance: Floats, k: int) -> tuple[list[Subset], list[Group]]:
    """Best distinct k-subsets for all classes.

    Every class lists its best subsets, as few as the proof allows: a class whose matched value, less the price of its
    subset, is at least the last it lists cannot gain from a longer list; and g classes never need more than g each.

    Args:
        relevance: (n_features, n_classes) of the selected features.
        k: features per class.

    Returns:
        One subset of row positions per class, and the groups whose classes had to give something up.
    """
    order = np.argsort(-relevance, axis=0, kind="stable")
    ranked = np.take_along_axis(relevance, order, axis=0)
    free = ranked[:k].sum(axis=0).tolist()
    rows: list[Subset] = [tuple(row) for row in np.sort(order[:k], axis=0).T.tolist()]
    lists: list[Ranking] = [[(value, row)] for value, row in zip(free, rows, strict=True)]
    settled: dict[tuple[int, ...], Group] = {}
    while True:
        longer: list[tuple[int, int]] = []
        groups = [tuple(group) for group in _connected(lists) if len(group) > 1]
        for classes in groups:
            if classes in settled:
                continue
            taken, short = _match([lists[c] for c in classes])
            longer += [(classes[q], min(2 * len(lists[classes[q]]), len(classes))) for q in short]
            if not short:
                best = sum(lists[c][pick][0] for c, pick in zip(classes, taken, strict=True))
                settled[classes] = Group(np.array(classes), best, sum(free[c] for c in classes))
                for c, pick in zip(classes, taken, strict=True):
                    rows[c] = lists[c][pick][1]
        if not longer:
            return rows, [g for g in (settled[c] for c in groups) if g.free - g.best > 1e-9]
        for c, size in longer:
            lists[c] = best_subsets(order[:, c], ranked[:, c], k, size)


def _connected(lists: list[Ranking]) -> list[list[int]]:
    """Classes grouped so that no subset is listed in two groups."""
    parent = list(range(len(lists)))
    owner: dict[Subset, int] = {}

    def root(c: int) -> int:
        while parent[c] != c:
            parent[c] = parent[parent[c]]
            c = parent[c]
        return c

    for c, ranking in enumerate(lists):
        for _, subset in ranking:
            parent[root(c)] = root(owner.setdefault(subset, c))
    groups: dict[int, list[int]] = {}
    for c in range(len(lists)):
        groups.setdefault(root(c), []).append(c)
    return list(groups.values())


def _match(lists: list[Ranking]) -> tuple[list[int], list[int]]:
    """The best matching of a group's classes to listed subsets.

    Returns:
        The position each class takes in its list, and the classes whose lists are too short to prove it best.
    """
    ids: dict[Subset, int] = {}
    subset = np.array([ids.setdefault(s, len(ids)) for ranking in lists for _, s in ranking])
    value = np.array([v for ranking in lists for v, _ in ranking])
    size = np.array([len(ranking) for ranking in lists])
    owner = np.repeat(np.arange(len(lists)), size)
    growing = np.flatnonzero(size < len(lists)).tolist()
    if len(ids) < len(lists):
        return [], growing
    worth = np.full((len(lists), len(ids)), _NEVER)
    worth[owner, subset] = value
    column = linear_sum_assignment(worth, maximize=True)[1].astype(np.int64)
    if worth[np.arange(len(lists)), column].min() <= _NEVER:  # no matching serves every class yet
        return [], growing
    start = np.cumsum(size) - size
    pick = np.flatnonzero(subset == column[owner]) - start
    taken = value[start + pick]
    price = _prices(owner, subset, value, column, taken, len(ids))
    last = value[start + size - 1]
    slack = 1e-12 * max(1.0, float(np.abs(value).max()))
    short = (taken - price[column] < last - slack) & (size < len(lists))
    return pick.tolist(), np.flatnonzero(short).tolist()


def _prices(owner: Ints, subset: Ints, value: Floats, column: Ints, taken: Floats, n_subsets: int) -> Floats:
    """The least prices that support a best matching: price_T >= A_cT - taken_c + price of c's own subset."""
    price = np.zeros(n_subsets)
    envy = value - taken[owner]
    for _ in range(len(column) + 1):
        raised = price.copy()
        np.maximum.at(raised, subset, envy + price[column][owner])
        if (raised <= price + 1e-13).all():
            break
        price = raised
    return price


def group_cut(problem: Problem, selection: Ints, group: Group) -> tuple[Ints, Floats]:
    """Coefficients of the group's cut: sum of eta over its classes <= group.best + sum_j coefficient_j s_j.

    Args:
        problem: the instance.
        selection: (n_features,) the selection the group came from.
        group: one of its groups.

    Returns:
        (m,) candidates J and their (m,) coefficients.
    """
    k, size = problem.features_per_class, len(group.classes)
    relevance = problem.relevance[:, group.classes]
    ranked = -np.sort(-relevance[selection], axis=0)
    kth = ranked[k - 1]
    rank = k + size - 2
    last = ranked[rank] if rank < len(selection) else np.full(size, -np.inf)
    outside = np.ones(problem.n_candidates, dtype=bool)
    outside[selection] = False
    others = np.flatnonzero(outside & (relevance > last).any(axis=1))
    return others, (group.free - group.best) + np.maximum(relevance[others] - kth, 0.0).sum(axis=1)


def row_matrix(rows: list[Subset], n_features: int) -> Bools:
    """(n_classes, n_features) bool matrix of subsets of one size."""
    matrix = np.zeros((len(rows), n_features), dtype=bool)
    matrix[np.arange(len(rows))[:, None], np.array(rows)] = True
    return matrix
