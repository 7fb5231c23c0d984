"""The quadratic program as data: which features, and which of them describe each class (QPM eq.,
docs/explanation/program.md#the-problem).

maximise  scale * sum_{f,c} A_fc W_cf  -  sum_{(i,j) in P} r_ij s_i s_j  +  sum_f b_f s_f,   scale = 1000 / (k C)
subject to  W_cf <= s_f,  sum_f s_f = N,  sum_f W_cf = k for every class,  no two classes with the same row of W.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from tuner.errors import UsageError
from tuner.qpm.program.former import warn
from tuner.qpm.program.instance import checking
from tuner.qpm.program.instance.arrays import Bools, Floats, Ints
from tuner.qpm.program.instance.sizes import check_feasible, require_whole
from tuner.qpm.program.instance.verify import Answer, check_assignment, check_figures

_LARGEST = 1e306  # a hundredth of the largest float


class _Former(int):
    """A size that was left out, which earlier versions understood."""

    def __repr__(self) -> str:
        return "<required>"


_N_FEATURES, _FEATURES_PER_CLASS = _Former(50), _Former(5)


@dataclass(frozen=True, eq=False, repr=False)
class Problem:
    """One instance of the program; checked when made, never changed.

    Args:
        relevance: (n_candidates, n_classes) A, any finite values: what a feature is worth to a class.
        pairs: three 1-d arrays (i, j, penalty) with i < j, every pair once, penalty >= 0.
        bias: (n_candidates,) b, or None for zeros.
        n_features: N, features to select; required.
        features_per_class: k, features of each class; required.
        forced: two 1-d arrays (c, d) of class pairs that must share exactly k - 1 features (CHiQPM,
            docs/explanation/program.md#forced-pairs).
        weight: of the relevance in the objective, above 0; None: 1000 / (k C), as published.

    Raises:
        UsageError: naming value and rule; InfeasibleError where arithmetic rules a solution out.
    """

    relevance: Floats
    pairs: tuple[Ints, Ints, Floats]
    bias: Floats | None = None
    n_features: int = _N_FEATURES
    features_per_class: int = _FEATURES_PER_CLASS
    forced: tuple[Ints, Ints] | None = None
    weight: float | None = None

    def __post_init__(self) -> None:
        self._require_sizes()
        relevance = checking.matrix(self.relevance)
        n = relevance.shape[0]
        check_feasible(n, self.n_features, self.features_per_class, relevance.shape[1])
        object.__setattr__(self, "relevance", relevance)
        object.__setattr__(self, "pairs", checking.penalised(self.pairs, n))
        if self.bias is not None:
            object.__setattr__(self, "bias", checking.vector("bias", self.bias, n))
        if self.forced is not None:
            sizes = relevance.shape[1], self.n_features, self.features_per_class
            object.__setattr__(self, "forced", checking.forced_pairs(self.forced, *sizes))
        if not 0.0 < self.scale < np.inf:
            raise UsageError(f"weight = {self.weight}", "a finite number above 0", "give None for 1000 / (k C)")
        if not self._largest() <= _LARGEST:
            worst = max((float(np.abs(values).max(initial=0.0)), name) for name, values in self._coefficients().items())
            raise UsageError(
                f"{worst[1]} of up to {worst[0]:g}",
                f"coefficients whose sum over a selection stays below {_LARGEST:g}, so that it can be added up",
                "divide all relevance, penalties and biases by one number: that changes no optimum",
            )

    def _require_sizes(self) -> None:
        for name in ("n_features", "features_per_class"):
            size = getattr(self, name)
            if isinstance(size, _Former):
                warn(f"Problem: {name} is left out and taken for {int(size)}; give it", stacklevel=5)
            require_whole(name, size)
            object.__setattr__(self, name, int(size))

    def __repr__(self) -> str:
        parts = [
            f"{self.n_candidates} candidates, {self.n_classes} classes",
            f"n_features={self.n_features}, features_per_class={self.features_per_class}",
            f"{len(self.pairs[0])} penalised pairs",
        ]
        if self.bias is not None:
            parts.append("bias")
        if self.forced is not None:
            parts.append(f"{len(self.forced[0])} forced class pairs")
        if self.weight is not None:
            parts.append(f"weight={self.weight:g}")
        return f"Problem({', '.join(parts)})"

    @property
    def n_candidates(self) -> int:
        """Features to choose from."""
        return int(self.relevance.shape[0])

    @property
    def n_classes(self) -> int:
        """Classes to describe."""
        return int(self.relevance.shape[1])

    @property
    def scale(self) -> float:
        """Weight of the relevance: 1000 / (k C) unless given."""
        return 1000.0 / (self.features_per_class * self.n_classes) if self.weight is None else self.weight

    @cached_property
    def size(self) -> float:
        """A value the objective can hardly have: all rows of the largest relevance, the largest penalty or bias.

        What counts as small is measured by it, so that the unit of the coefficients changes no decision.
        """
        most = {name: float(np.abs(values).max(initial=0.0)) for name, values in self._coefficients().items()}
        rows = self.scale * self.features_per_class * self.n_classes
        return max(rows * most["relevance"], most["penalties"], most["bias"])

    @cached_property
    def linear(self) -> Floats:
        """(n_candidates,) bias, zeros where there is none."""
        return np.zeros(self.n_candidates) if self.bias is None else self.bias

    @cached_property
    def penalty(self) -> Floats:
        """(n_candidates, n_candidates) symmetric matrix of pair penalties, zero diagonal."""
        i, j, weight = self.pairs
        matrix = np.zeros((self.n_candidates, self.n_candidates))
        matrix[i, j] = matrix[j, i] = weight
        return matrix

    @cached_property
    def order(self) -> Ints:
        """(n_candidates, n_classes) candidates of each class by falling relevance."""
        return np.argsort(-self.relevance, axis=0, kind="stable")

    @cached_property
    def ranked(self) -> Floats:
        """(n_candidates, n_classes) relevance in that order."""
        return np.take_along_axis(self.relevance, self.order, axis=0)

    def _coefficients(self) -> dict[str, Floats]:
        return {"relevance": self.relevance, "penalties": self.pairs[2], "bias": self.linear}

    def _largest(self) -> float:
        """No sum that a selection's value is made of is above it; inf where it cannot be said."""
        most = {name: float(np.abs(values).max(initial=0.0)) for name, values in self._coefficients().items()}
        n = self.n_features
        rows = self.features_per_class * self.n_classes * most["relevance"]
        return max(1.0, self.scale) * rows + n * n * most["penalties"] + n * most["bias"]

    def selection_cost(self, features: ArrayLike) -> float:
        """Bias minus penalties of a selection: the part of the objective the assignment cannot change."""
        chosen = np.asarray(features, dtype=np.int64)
        return float(self.linear[chosen].sum() - self.penalty[np.ix_(chosen, chosen)].sum() / 2)

    def free_value(self, features: ArrayLike) -> float:
        """Value of a selection when classes may share a row: each takes its k most relevant features."""
        chosen = np.asarray(features, dtype=np.int64)
        k, n = self.features_per_class, len(chosen)
        top = np.partition(self.relevance[chosen], n - k, axis=0)[n - k :]
        return self.scale * float(top.sum()) + self.selection_cost(chosen)

    def objective(self, features: ArrayLike, assignment: Bools) -> float:
        """The objective of a selection and its assignment (n_classes, n_features), as stated at the top."""
        chosen = np.asarray(features, dtype=np.int64)
        return self.scale * float(self.relevance[chosen].T[assignment].sum()) + self.selection_cost(chosen)

    def verify(self, solution: Answer) -> None:
        """Check a solution against every constraint from scratch, and recompute its objective.

        Raises:
            TunerError: naming the first constraint that is violated.
        """
        check_assignment(
            solution,
            n_candidates=self.n_candidates,
            n_classes=self.n_classes,
            n_features=self.n_features,
            features_per_class=self.features_per_class,
            forced=self.forced,
        )
        value = self.objective(solution.features, solution.assignment)
        check_figures(solution, value, self.size)
