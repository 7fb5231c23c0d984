"""The units a program is solved in, so that the unit of its coefficients and what is added to them change nothing.

SCIP takes what is below 1e-9 for nothing and what is above 1e20 for infinite. So the coefficients are brought to the
size of a published program: the largest relevance in (1/2, 1], the largest value of a selection in (500, 1000], both by
powers of two, which change no digit. Before that, two steps that change no optimum:

- trim: a pair, a bias or a relevance so bad that no selection with it reaches a known one is made less bad, yet bad
  enough, and a bias so good that every selection as good as the known one has it is made less good, yet good enough;
  what is never taken, or always, then does not set the scale.
- shift: a class whose relevance is all within a factor of two loses its least, since it takes exactly k features; the
  bias likewise, since N are taken. Such a difference is exact in floating point (Sterbenz), the sum taken away is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tuner.qpm.program.cuts.class_values import closed_form_bound
from tuner.qpm.program.instance.arrays import Floats, Ints
from tuner.qpm.program.instance.problem import Problem
from tuner.qpm.program.primal.distinct import distinct_rows
from tuner.qpm.program.primal.tabu import descend, greedy

_USUAL = 1000.0  # size of a program as published: relevance up to 1
_MARGIN = 16.0  # how much worse than any known selection what is trimmed stays
_NEGLIGIBLE = 200  # powers of two below which relevance is nothing beside penalties and bias
_PATIENCE = 50  # tabu swaps of the known selection, where penalties decide
_DIGITS = 4 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class Units:
    """A problem as given and as solved; value as given = offset + 2**exponent * value as solved.

    Args:
        given: the problem in its own units.
        inner: what is solved instead: the same candidates, classes and optima.
        exponent: of the unit.
        offset: value as given of an inner value of 0.
        known: where something was trimmed, a selection that others have to beat: below it inner values are too good.
    """

    given: Problem
    inner: Problem
    exponent: int
    offset: float
    known: Ints | None = None

    @classmethod
    def of(cls, problem: Problem) -> Units:
        """Trim, shift and scale a problem."""
        inner, exponent = _scaled(problem)
        inner, certain, known = _trimmed(inner)
        inner, lost = _shifted(inner)
        inner, more = _scaled(inner)
        return cls(problem, inner, exponent + more, _times(certain + lost, exponent), known)

    @property
    def zero(self) -> float:
        """What is missing from an inner value: relative gaps refer to |value + zero|."""
        return _times(self.offset, -self.exponent)

    def outer(self, value: float) -> float:
        """A value in the problem's own units."""
        return self.offset + _times(value, self.exponent)

    def outer_bound(self, bound: float) -> float:
        """A bound in the problem's own units, rounded outward where the shift makes it round at all."""
        outer = self.outer(bound)
        if not self.offset or not math.isfinite(outer):
            return outer
        return outer + _DIGITS * (abs(self.offset) + abs(outer - self.offset))


def _times(value: float, exponent: int) -> float:
    """value * 2**exponent; infinite where that is too large to write."""
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.copysign(math.inf, value)


def _exponent(largest: float) -> int:
    """The power of two that brings a number into (1/2, 1]."""
    share, exponent = math.frexp(largest)
    return exponent - 1 if share == 0.5 else exponent


def _scaled(problem: Problem) -> tuple[Problem, int]:
    """The problem in units of a published one, and the exponent of its unit."""
    if problem.size == 0.0:
        return problem, 0
    unit = _exponent(problem.size / _USUAL * (1 - 1e-9))  # the published scale itself rounds
    largest = float(np.abs(problem.relevance).max())
    own = max(_exponent(largest), unit - _NEGLIGIBLE) if largest > 0.0 else unit
    if unit == own == 0:
        return problem, 0
    i, j, penalty = problem.pairs
    scaled = replace(
        problem,
        relevance=np.ldexp(problem.relevance, -own),
        pairs=(i, j, np.ldexp(penalty, -unit)),
        bias=None if problem.bias is None else np.ldexp(problem.bias, -unit),
        weight=math.ldexp(problem.scale, own - unit),
    )
    return scaled, unit


def _trimmed(problem: Problem) -> tuple[Problem, float, Ints | None]:
    """Coefficients that decide themselves brought near the others, the value that is certain in return, a selection.

    With L the value of a known selection and P a bound that holds even if no pair costs anything, no bias is below the
    N-th and no relevance of a class below its k-th: whatever takes a coefficient that is m (P - L) worse has a value of
    at most P - m (P - L) < L for m > 1. A bias by which a candidate's price stands out from the (N+1)-th by more than
    that is in every selection as good as L.
    """
    if problem.forced is not None and len(problem.forced[0]):  # no selection with them is known yet
        return problem, 0.0, None
    n, scale = problem.n_features, problem.scale
    usual = np.sort(problem.linear)[-n]
    likely = problem.ranked[problem.features_per_class - 1]
    i, j, penalty = problem.pairs
    relevance, bias = np.maximum(problem.relevance, likely), np.maximum(problem.linear, usual)
    raised = replace(problem, relevance=relevance, pairs=(i[:0], j[:0], penalty[:0]), bias=bias)
    known = greedy(problem)
    best, price = closed_form_bound(raised, known)
    conflicts = float(problem.penalty[np.ix_(known, known)].sum()) / 2
    value = _value(problem, known)
    if conflicts > 0.0 and penalty.max() > best - value - conflicts:  # they could decide more than the rest
        known, _ = descend(problem, known, np.random.default_rng(0), _PATIENCE)
        value = _value(problem, known)
    room = _MARGIN * (best - value)
    if not room > 0.0:
        return problem, 0.0, None
    bias = np.maximum(problem.linear, usual - room)
    certain = 0.0
    if len(price) > n:
        excess = np.minimum(price - np.sort(price)[-n - 1] - 2 * room, bias - usual)
        excess = np.where(excess > room, excess, 0.0)
        lowered = bias - excess
        certain, bias = math.fsum(bias - lowered), lowered
    relevance, less = np.maximum(problem.relevance, likely - room / scale), np.minimum(penalty, room)
    if all(map(np.array_equal, (relevance, less, bias), (problem.relevance, penalty, problem.linear))):
        return problem, 0.0, None
    return replace(problem, relevance=relevance, pairs=(i, j, less), bias=bias), certain, known


def _value(problem: Problem, selection: Ints) -> float:
    """A selection's value with distinct rows."""
    _, groups = distinct_rows(problem.relevance[selection], problem.features_per_class)
    return problem.free_value(selection) - problem.scale * sum(group.free - group.best for group in groups)


def _shifted(problem: Problem) -> tuple[Problem, float]:
    """The problem without what every class, or every selection, has in any case, and the value of that."""
    taken = _common(problem.relevance)
    given = float(_common(problem.linear[:, None])[0])
    if not taken.any() and not given:
        return problem, 0.0
    lost = problem.scale * problem.features_per_class * math.fsum(taken) + problem.n_features * given
    bias = None if problem.bias is None else problem.bias - given
    return replace(problem, relevance=problem.relevance - taken, bias=bias), lost


def _common(columns: Floats) -> Floats:
    """What the columns can lose exactly: the least of one whose values all lie within a factor of two, else 0."""
    low, high = columns.min(axis=0), columns.max(axis=0)
    near = ((low > 0.0) & (high <= 2 * low)) | ((high < 0.0) & (low >= 2 * high))
    return np.where(near, low, 0.0)
