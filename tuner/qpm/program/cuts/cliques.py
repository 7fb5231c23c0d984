"""Clique inequalities of the Boolean quadric polytope on the pair graph (docs/explanation/program.md#penalty).

sum_{i<j in K} y_ij >= t s(K) - t (t+1) / 2 for a clique K of penalised pairs and t = 1..6: with m of K selected the
slack is (m - t)(m - t - 1) / 2 >= 0. Cliques are grown greedily from all edges of the support at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tuner.qpm.program.instance.arrays import Bools, Floats, Ints
from tuner.qpm.program.options import DEFAULTS


@dataclass(frozen=True)
class CliqueCut:
    """t s(members) - sum of y over their pairs <= t (t + 1) / 2."""

    members: list[int]
    t: int

    @property
    def side(self) -> float:
        """Right side."""
        return self.t * (self.t + 1) / 2

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """All pairs of members, smaller index first."""
        return [(a, b) for q, b in enumerate(self.members) for a in self.members[:q]]


def violated_cliques(
    adjacent: Bools,
    s: Floats,
    pairs: tuple[Ints, Ints],
    y: Floats,
    max_cuts: int,
    min_violation: float = DEFAULTS.clique_violation,
    max_t: int = DEFAULTS.largest_clique_rank,
) -> list[CliqueCut]:
    """The most violated clique cuts at a point.

    Args:
        adjacent: (n, n) which pairs may be used.
        s: (n,) the point. pairs: (i, j) of the y that exist, with values y; other pairs count as y = 0.
        max_cuts: how many at most, by violation over size.
        min_violation: below this a cut is not worth its row.
        max_t: largest t.
    """
    support = np.flatnonzero(s > 1e-6)
    place = np.full(len(s), -1)
    place[support] = np.arange(len(support))
    matrix = np.zeros((len(support), len(support)))
    i, j = place[pairs[0]], place[pairs[1]]
    inside = (i >= 0) & (j >= 0)
    matrix[i[inside], j[inside]] = matrix[j[inside], i[inside]] = y[inside]
    within = adjacent[np.ix_(support, support)]
    found: dict[tuple[int, tuple[int, ...]], float] = {}
    for t in range(1, max_t + 1):
        fresh = _grow(within, s[support], matrix, t, min_violation)
        for clique, violation in fresh.items():
            found[t, clique] = violation / len(clique)
        if t > 1 and not fresh:
            break
    best = sorted(found, key=lambda key: -found[key])[:max_cuts]
    return [CliqueCut(support[list(clique)].tolist(), t) for t, clique in best]


def _grow(adjacent: Bools, s: Floats, y: Floats, t: int, min_violation: float) -> dict[tuple[int, ...], float]:
    """Grow a clique from every edge, each time by the vertex of largest gain t s_v - y(v, K)."""
    first, second = np.nonzero(np.triu(adjacent, 1))
    total = t * (s[first] + s[second]) - y[first, second] - t * (t + 1) / 2
    common = adjacent[first] & adjacent[second]
    gain = np.where(common, t * s - y[first] - y[second], 0.0)
    columns = [first, second]
    alive = np.arange(len(first))
    while len(alive):
        vertex = gain[alive].argmax(axis=1)
        worth = gain[alive, vertex]
        grows = worth > 1e-9
        alive, vertex = alive[grows], vertex[grows]
        total[alive] += worth[grows]
        column = np.full(len(first), -1)
        column[alive] = vertex
        columns.append(column)
        common[alive] &= adjacent[vertex]
        gain[alive] = np.where(common[alive], gain[alive] - y[vertex], 0.0)
    hit = total > min_violation
    members = np.column_stack(columns)[hit].tolist()
    cliques = [tuple(sorted(v for v in row if v >= 0)) for row in members]
    return dict(zip(cliques, total[hit].tolist(), strict=True))
