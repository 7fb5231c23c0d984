"""Limits on parameters and values, such as at most 3 features per class: a rule then picks among the trials within."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import Literal

from tuner.base.spelling import did_you_mean
from tuner.errors import UsageError
from tuner.front import words
from tuner.front.choice import CONFIRMED, FRONT, LIMITED, Pick, Rule, narrowed, require_measured
from tuner.front.knee import pick_knee
from tuner.front.pareto import Objective, Point, beats
from tuner.front.reasons import TIE


@dataclass(frozen=True)
class Limit:
    """A limit on a parameter, or else on a value.

    Args:
        name: of the parameter or value.
        bound: the largest or the smallest number allowed, in its unit.
        kind: whether it is the largest ("most") or the smallest ("least").
    """

    name: str
    bound: float
    kind: Literal["most", "least"] = "most"

    def __str__(self) -> str:
        return f"{self.name} at {self.kind} {self.bound:g}"

    def missed(self, value: float) -> str:
        """What a value that exceeds the bound misses: "accuracy at least 90 by 11"."""
        return f"{self} by {abs(value - self.bound):.4g}"

    def excess(self, value: float) -> float:
        """How far a value exceeds the bound, relative to the bound; 0: it respects the limit."""
        beyond = value - self.bound if self.kind == "most" else self.bound - value
        share = beyond / max(abs(self.bound), 1.0)
        return share if share > TIE else 0.0


def pick_within_limits(
    points: Sequence[Point],
    objectives: Sequence[Objective],
    limits: Sequence[Limit],
    rule: Rule = pick_knee,
    *,
    whose: str = FRONT,
) -> Pick:
    """What `rule` picks from the front of the trials that respect all limits.

    The limits come first and the front is that of the remaining trials: with "at most 3 features per
    class" the best such trial counts, also where a trial with 5 beats it (the reason then says so).

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the axes of the trade-off.
        limits: on parameters or values.
        rule: `pick_knee`, or `functools.partial(pick_within, distances={"accuracy": 1.0})`.
        whose: how the reason refers to the front without the limits.

    Raises:
        UsageError: no trial respects the limits (the nearest is named), or no trial has a number of that name.
    """
    known = require_measured(points, objectives)
    for limit in limits:
        _check_limit(limit, known)
    limited = list(dict.fromkeys(limit.name for limit in limits))
    numbered = [p for p in known if all(_quantity(p, name) is not None for name in limited)]
    allowed = [p for p in numbered if _excess(p, limits) == 0]
    asked = words.listing([str(limit) for limit in limits])
    if not allowed:
        nearest = min(numbered, key=lambda p: _excess(p, limits), default=None)
        close = "" if nearest is None else f"; the nearest is {_short_of(nearest, limits)}"
        raise UsageError(
            f"no trial has {asked}",
            f"limits that some trial respects{close}",
            "raise the limit, or search smaller values"
            if all(limit.kind == "most" for limit in limits)
            else "loosen the limits, or search values within them",
        )
    chosen = rule(allowed, objectives, whose=narrowed(whose, LIMITED))
    better = next((p for p in numbered if beats(p, chosen.point, objectives)), None)
    aside = f"; trial {better.trial} beats it, but with {_has(better, limited)}" if better else ""
    missing = len(known) - len(numbered)
    aside += f"; {missing} {'trial has' if missing == 1 else 'trials have'} no such value" if missing else ""
    who = f"trial {chosen.point.trial} ({_has(chosen.point, limited)})"
    trials, one = ("confirmed trials", "confirmed one") if whose == CONFIRMED else ("trials", "one")
    start = f"Of the {len(allowed)} {trials} with {asked}, {who}"
    if len(allowed) == 1:
        start = f"T{who[1:]}, the only {one} with {asked},"
    rest = chosen.reason.removeprefix(f"Trial {chosen.point.trial} ").removesuffix(".")
    return replace(chosen, reason=f"{start} {rest}{aside}.")


def refuse_outside(points: Sequence[Point], number: int, limits: Sequence[Limit]) -> None:
    """Refuse a trial that a person named and that does not respect the limits, with what it misses.

    Raises:
        UsageError: it does not.
    """
    point = next((p for p in points if p.trial == number), None)
    if point is None or not limits:
        return
    lacking = next((limit.name for limit in limits if _quantity(point, limit.name) is None), None)
    if lacking is not None:
        raise UsageError(f"trial {number} has no number named {lacking!r}", "a trial that has", "leave out that limit")
    if _excess(point, limits):
        expected = "a trial within the limits, or limits that it respects"
        raise UsageError(_short_of(point, limits), expected, "loosen the limits, or name another trial")


def _quantity(point: Point, name: str) -> float | None:
    """A parameter, or else a value, if it is a number."""
    value = point.params.get(name, point.values.get(name))
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)


def _has(point: Point, limits: Iterable[str]) -> str:
    """A trial's values of the limited quantities."""
    return words.listing([f"{name} {_quantity(point, name):g}" for name in limits])


def _short_of(nearest: Point, limits: Sequence[Limit]) -> str:
    """A trial with its values, and the limits that it misses: by how much, in the unit of each."""
    missed = [limit.missed(value) for limit in limits if limit.excess(value := _quantity(nearest, limit.name) or 0.0)]
    has = _has(nearest, dict.fromkeys(limit.name for limit in limits))
    return f"trial {nearest.trial} with {has}, which misses {words.listing(missed)}"


def _excess(point: Point, limits: Iterable[Limit]) -> float:
    """Sum of the relative excesses over the limits; 0: the point respects all."""
    return sum(limit.excess(_quantity(point, limit.name) or 0.0) for limit in limits)


def _check_limit(limit: Limit, points: Sequence[Point]) -> None:
    """Refuse a limit that is not a number, or on a quantity that no trial has."""
    if not isfinite(limit.bound):
        what = f"the limit of {limit.name} is {limit.bound}"
        raise UsageError(what, "a finite number", f"give a number, as in {limit.name}=3")
    if limit.name.startswith("test/"):
        raise UsageError(
            f"a limit on {limit.name}",
            "a value of the split that objectives are measured on: test chooses nothing",
            f"limit {limit.name.removeprefix('test/')} instead",
        )
    if all(_quantity(p, limit.name) is None for p in points):
        known = sorted({n for p in points for n in (*p.params, *p.values) if _quantity(p, n) is not None})
        what = f"no trial has a number named {limit.name!r}"
        raise UsageError(what, f"one of {', '.join(known)}", did_you_mean(limit.name, known))
