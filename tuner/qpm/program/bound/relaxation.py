"""The linear program of the root, as explicit rows: SoPlex solves it, and the bound is certified here.

Columns: s (n_candidates), eta (n_classes), then one y per penalised pair, on demand. Row 0 is sum s = N, all
others read row . x <= side. The certificate recomputes the bound from the row duals alone: with pi >= 0 (any sign for
row 0), bound = pi . side + sum over columns of max over the column's box of (c - A' pi) x, valid whatever the solver
did.

A solve runs in portions of simplex iterations. The listener is called in between; work, not time, ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pyscipopt import LP

from tuner.qpm.program.instance.arrays import Floats, Ints
from tuner.qpm.program.instance.problem import Problem

_PRICING, _STEEPEST_EDGE = 4, 4  # SCIP_LPPAR_PRICING: a sixth of the iterations, half of the time
_ITERATION_LIMIT = 10  # SCIP_LPPAR_LPITLIM
_PORTION = 2e8  # iterations of a portion x candidates x classes: a fraction of a second
_ROUNDING = 2.0**-50  # of the terms of the certificate


@dataclass
class Row:
    """One inequality cols . coefs <= side.

    `idle` counts solves with a zero dual; `rank` is that of theta, for a class value.
    """

    kind: str
    cols: Ints
    coefs: Floats
    side: float
    rank: int = 0
    idle: int = 0


class RootLP:
    """The relaxation in (s, eta, y), growing by rows and columns.

    Args:
        problem: the instance.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        n, n_classes, k = problem.n_candidates, problem.n_classes, problem.features_per_class
        self.lower = np.concatenate([np.zeros(n), problem.ranked[-k:].sum(axis=0)])
        self.upper = np.concatenate([np.ones(n), problem.ranked[:k].sum(axis=0)])
        self.cost = np.concatenate([problem.linear, np.full(n_classes, problem.scale)])
        self.rows = [Row("cardinality", np.arange(n), np.ones(n), float(problem.n_features))]
        self.pending: list[Row] = []
        self.pair_column: dict[tuple[int, int], int] = {}
        self.pair_of: list[tuple[int, int]] = []
        self.iterations = 0
        self.lp = LP("root", "maximize")
        self.lp.setIntParam(_PRICING, _STEEPEST_EDGE)
        self.lp.setIntParam(_ITERATION_LIMIT, max(100, int(_PORTION / (n * n_classes))))
        self.lp.addCols([[]] * len(self.cost), self.cost.tolist(), self.lower.tolist(), self.upper.tolist())
        self.lp.addRow([(f, 1.0) for f in range(n)], problem.n_features, problem.n_features)
        self.x, self.duals, self.value = np.zeros(len(self.cost)), np.zeros(1), np.inf

    @property
    def s(self) -> Floats:
        """(n_candidates,) the selection's part of the last solution."""
        return self.x[: self.problem.n_candidates]

    @property
    def class_values(self) -> Floats:
        """(n_classes,) the class values of the last solution."""
        n = self.problem.n_candidates
        return self.x[n : n + self.problem.n_classes]

    def add(self, kind: str, cols: Ints, coefs: Floats, side: float, rank: int = 0) -> None:
        """Queue a row cols . coefs <= side for the next solve."""
        self.pending.append(Row(kind, cols, coefs, side, rank))

    def y(self, i: int, j: int) -> int:
        """The column of a penalised pair, created on demand."""
        pair = (i, j) if i < j else (j, i)
        if pair not in self.pair_column:
            self.pair_column[pair] = len(self.problem.linear) + self.problem.n_classes + len(self.pair_of)
            self.pair_of.append(pair)
        return self.pair_column[pair]

    def solve(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Solve with all queued rows; False if stopped before the optimum (the duals then are the last good ones).

        Args:
            stop: asked after each portion of iterations, which are in `iterations` then; true ends it.
        """
        self._flush()
        while True:
            self.lp.solve()
            portion = self.lp.getNIterations()
            self.iterations += portion
            if self.lp.isOptimal():
                break
            if stop():
                return False
            if not portion:
                raise ArithmeticError("the linear program has no optimum, and no iteration changes that")
        self.x, self.duals = np.array(self.lp.getPrimal()), np.array(self.lp.getDual())
        self.value = float(self.lp.getObjVal())
        for row, dual in zip(self.rows, self.duals, strict=True):
            row.idle = 0 if abs(dual) > 1e-9 else row.idle + 1
        return True

    def _flush(self) -> None:
        fresh = self.pair_of[len(self.cost) - len(self.problem.linear) - self.problem.n_classes :]
        if fresh:
            prices = [-float(self.problem.penalty[pair]) for pair in fresh]
            count = len(fresh)
            self.lp.addCols([[]] * count, prices, [0.0] * count, [1.0] * count)
            self.cost = np.concatenate([self.cost, prices])
            self.lower = np.concatenate([self.lower, np.zeros(count)])
            self.upper = np.concatenate([self.upper, np.ones(count)])
        if self.pending:
            entries = [list(zip(row.cols.tolist(), row.coefs.tolist(), strict=True)) for row in self.pending]
            sides = [row.side for row in self.pending]
            self.lp.addRows(entries, [-self.lp.infinity()] * len(sides), sides)
            self.rows += self.pending
            self.pending = []

    def purge(self, patience: int) -> int:
        """Drop inequalities whose dual was zero for `patience` solves; deleted from the end, so indices stay right."""
        keep = np.array([row.idle < patience or row.kind in ("cardinality", "pair") for row in self.rows])
        gone = np.flatnonzero(~keep)
        for index in gone[::-1].tolist():
            self.lp.delRows(index, index)
        if len(gone):
            self.rows = [row for row, kept in zip(self.rows, keep, strict=True) if kept]
            self.duals = self.duals[keep]
        return len(gone)

    def certificate(self) -> tuple[float, Floats]:
        """A bound from the row duals in float64, and the reduced costs (n_candidates,) it leaves on s."""
        rows = self.rows[: len(self.duals)]
        duals = self.duals.copy()
        duals[1:] = np.maximum(duals[1:], 0.0)
        active = np.flatnonzero(duals)
        left = self.cost.copy()
        if len(active):
            sizes = [len(rows[r].cols) for r in active]
            cols = np.concatenate([rows[r].cols for r in active])
            coefs = np.concatenate([rows[r].coefs for r in active])
            left -= np.bincount(cols, np.repeat(duals[active], sizes) * coefs, minlength=len(left))
        sides = np.array([rows[r].side for r in active])
        paid, boxes = duals[active] * sides, np.maximum(left * self.lower, left * self.upper)
        rounding = _ROUNDING * float(np.abs(paid).sum() + np.abs(boxes).sum())
        return float(paid.sum()) + float(boxes.sum()) + rounding, left[: self.problem.n_candidates]
