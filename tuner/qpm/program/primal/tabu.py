"""Greedy insertion, then best-improvement swaps with a tabu list (docs/explanation/program.md#heuristics).

All N x n swaps are valued in one pass: with theta_c and theta'_c the k-th and (k+1)-th largest relevance of class c
in S, swapping i out and j in changes the relevance by
sum_c g_jc + sum_{c: i in top-k} [max(0, A_jc - theta'_c) - g_jc - (A_ic - theta'_c)],  g_jc = max(0, A_jc - theta_c),
which is one matrix product; after a swap only the classes whose theta moved are valued again.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tuner.qpm.program.instance.arrays import Floats, Ints
from tuner.qpm.program.instance.problem import Problem
from tuner.qpm.program.options import DEFAULTS, SolverOptions

_REFRESH = 200  # swaps between two full recomputations, so that rounding does not add up


def greedy(
    problem: Problem, rng: np.random.Generator | None = None, noise: float = 0.0, keep: Ints | None = None
) -> Ints:
    """Insert one feature after the other, each time the most valuable.

    Args:
        problem: the instance.
        rng: draws the noise.
        noise: perturbs the values by this share of their mean.
        keep: candidates of which the most valuable go first, before any other.

    Returns:
        (n_features,) candidate indices in the order of insertion.
    """
    relevance, k = problem.relevance, problem.features_per_class
    top = np.tile(relevance.min(axis=0), (k, 1))
    taken = np.zeros(problem.n_candidates, dtype=bool)
    kept = np.zeros(problem.n_candidates, dtype=bool)
    if keep is not None:
        kept[keep] = True
    cost = -problem.linear
    chosen = np.empty(problem.n_features, dtype=np.int64)
    for step in range(problem.n_features):
        value = problem.scale * np.maximum(relevance - top[0], 0.0).sum(axis=1) - cost
        if rng is not None and noise > 0.0:
            value += noise * rng.normal(size=len(value)) * np.abs(value[~taken]).mean()
        barred = taken | ~kept if (kept & ~taken).any() else taken
        value[barred] = -np.inf
        feature = int(value.argmax())
        chosen[step], taken[feature] = feature, True
        cost = cost + problem.penalty[feature]
        top[0] = np.maximum(top[0], relevance[feature])
        top.sort(axis=0)
    return chosen


class Swaps:
    """The value of every swap of a selection, kept up to date while swaps are made.

    Args:
        problem: the instance.
        selection: (n_features,) candidate indices.
    """

    def __init__(self, problem: Problem, selection: Ints) -> None:
        self.problem = problem
        self.selection = np.array(selection, dtype=np.int64)
        self.entering = np.ascontiguousarray(problem.relevance.T)  # (n_classes, n_candidates)
        self.floor = problem.relevance.min(axis=0)
        self._restart()

    def _restart(self) -> None:
        """Value all classes from scratch."""
        self.value = self.problem.free_value(self.selection)
        self.made = 0
        n_classes, m = self.entering.shape
        self.kth, self.next = np.full(n_classes, np.nan), np.full(n_classes, np.nan)
        self.direct = np.zeros(m)  # sum_c max(0, A_jc - theta_c)
        self.swapped = np.zeros((len(self.selection), m))  # the sum over classes that lose i
        self.gain = np.zeros((n_classes, m))
        self.refill = np.zeros((n_classes, m))
        self.member = np.zeros((len(self.selection), n_classes))
        self.loss = np.zeros(len(self.selection))
        self.conflict = self.problem.penalty[self.selection].sum(axis=0)
        self._update()

    def _update(self) -> None:
        """Bring the classes whose thresholds or members moved up to date."""
        problem, k = self.problem, self.problem.features_per_class
        mine = problem.relevance[self.selection]  # (N, n_classes)
        n = len(self.selection)
        if n > k:
            split = np.partition(mine, (n - k - 1, n - k), axis=0)
            kth, following = split[n - k], split[n - k - 1]
        else:
            kth, following = mine.min(axis=0), self.floor
        member = (mine >= kth).astype(np.float64)
        moved = (kth != self.kth) | (following != self.next) | (member != self.member).any(axis=0)
        changed = np.flatnonzero(moved)
        if len(changed):
            self.swapped -= self.member[:, changed] @ self.refill[changed]
            self.direct -= self.gain[changed].sum(axis=0)
            entering = self.entering[changed]
            gain = np.maximum(entering - kth[changed, None], 0.0)
            refill = np.maximum(entering - following[changed, None], 0.0) - gain
            self.swapped += member[:, changed] @ refill
            self.direct += gain.sum(axis=0)
            self.gain[changed], self.refill[changed] = gain, refill
        self.kth, self.next, self.member = kth, following, member
        self.loss = (member * (mine - following)).sum(axis=1)

    def gains(self) -> Floats:
        """(n_features, n_candidates) change of value by each swap; -inf where the candidate is in already."""
        problem, chosen = self.problem, self.selection
        out = problem.scale * (self.swapped + self.direct - self.loss[:, None])
        out += problem.linear - self.conflict
        out += problem.penalty[chosen]
        out += (self.conflict - problem.linear)[chosen][:, None]
        out[:, chosen] = -np.inf
        return out

    def swap(self, position: int, candidate: int, gain: float) -> None:
        """Replace the feature at `position` by `candidate`, worth `gain`."""
        leaving = int(self.selection[position])
        self.selection[position] = candidate
        self.conflict = self.conflict + self.problem.penalty[candidate] - self.problem.penalty[leaving]
        self.value += gain
        self.made += 1
        if self.made >= _REFRESH:
            self._restart()
        else:
            # The newcomer's row of the running sums starts from nothing.
            self.member[position] = 0.0
            self.swapped[position] = 0.0
            self._update()


def descend(
    problem: Problem,
    selection: Ints,
    rng: np.random.Generator,
    patience: int = 0,
    stop: Callable[[], bool] = lambda: False,
    options: SolverOptions = DEFAULTS,
) -> tuple[Ints, float]:
    """Best-improvement swaps to a local optimum, then tabu search until `patience` swaps bring nothing.

    Args:
        problem: the instance.
        selection: (n_features,) where to start.
        rng: draws the tenures.
        patience: tabu swaps without a new best; 0 = descent only.
        stop: asked before each swap; true ends the search.
        options: the tenures.

    Returns:
        The best selection seen, sorted, and its value without distinct rows.
    """
    swaps = Swaps(problem, selection)
    best, best_value = swaps.selection.copy(), swaps.value
    barred_in = np.zeros(problem.n_candidates, dtype=np.int64)
    barred_out = np.zeros(problem.n_candidates, dtype=np.int64)
    left, step, exploring = patience, 0, False
    while not stop():
        gains = swaps.gains()
        if exploring:
            aspiring = gains > best_value - swaps.value + 1e-9
            barred = (barred_in > step)[None, :] | (barred_out[swaps.selection] > step)[:, None]
            gains[barred & ~aspiring] = -np.inf
        position, entering = divmod(int(gains.argmax()), gains.shape[1])
        gain = float(gains[position, entering])
        if not exploring and gain <= 1e-9:
            exploring = True
            if not patience:
                break
            continue
        if not np.isfinite(gain) or (exploring and left <= 0):
            break
        leaving = int(swaps.selection[position])
        swaps.swap(position, entering, gain)
        step += 1
        if exploring:
            left -= 1
            barred_in[leaving] = step + int(rng.integers(*options.return_tenure, endpoint=True))
            barred_out[entering] = step + int(rng.integers(*options.leave_tenure, endpoint=True))
        if swaps.value > best_value + 1e-9:
            best, best_value, left = swaps.selection.copy(), swaps.value, patience
    return np.sort(best), best_value
