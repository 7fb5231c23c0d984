"""The sentences of a pick: every number with its unit, its error and its reference value.

Differences are computed from unrounded values and rounded once. They may differ in the last digit from the
difference of the rounded values beside them.
"""

from collections.abc import Sequence

from tuner.front import uncertainty, words
from tuner.front.pareto import Objective, Point

TIE = 1e-9  # rounding error tolerated between equal values, as a share of the natural range
MOST_NAMED = 3  # alternatives named in a sentence; the others are counted


def standing(point: Point, members: Sequence[Point], objective: Objective, whose: str) -> tuple[str, str]:
    """Where a point stands in one objective among the members, as verb and object for `words.clauses`.

    Returns:
        `is the best of the front in` accuracy (79.0 ± 2.4 %, n = 288),
        `equals all of the front in` features per class (5), where all members have the same value, or
        `gives up` 0.6 percentage points of accuracy (78.4 ± 2.4 %, n = 288, against the best of the front,
        79.0 ± 2.4 % of trial 0).
    """
    best = max(members, key=lambda p: objective.goodness(p.values[objective.name]))
    if len(members) > 1 and all(same(point, other, [objective]) for other in members):
        return f"equals all of {whose} in", f"{words.name(objective.name)} ({measured(point, objective)})"
    if same(point, best, [objective]):
        return f"is the best of {whose} in", f"{words.name(objective.name)} ({measured(point, objective)})"
    verb, what = difference(point, best, objective)
    return verb, f"{what} ({measured(point, objective)}, against the best of {whose}, {of_trial(best, objective)})"


def trade(point: Point, other: Point, objective: Objective) -> tuple[str, str]:
    """`gains` 7.1 percentage points of interpretability (62.1 %, against 55.0 % of trial 0)."""
    verb, what = difference(point, other, objective)
    return verb, f"{what} ({measured(point, objective)}, against {of_trial(other, objective)})"


def difference(point: Point, other: Point, objective: Objective) -> tuple[str, str]:
    """What taking `point` instead of `other` means in one objective: `adds` 20 features used."""
    value, against = point.values[objective.name], other.values[objective.name]
    worse, better = ("gives up", "gains") if objective.direction == "max" else ("adds", "saves")
    name = words.name(objective.name)
    if objective.unit == "%":
        what = f"{words.gap(value, against, '%')} of {name}"
    else:  # such as 20 features used, or 1 feature used
        number = words.number(abs(value - against), objective.unit)
        what = f"{number} {name.replace('features', 'feature', 1) if number == '1' else name}"
    return (worse if objective.loss(value, against) > 0 else better), what


def measured(point: Point, objective: Objective) -> str:
    """A value with its error and number of images, if known: 78.4 ± 2.4 %, n = 288."""
    n = uncertainty.images(objective.name, point.values)
    told = _value(point, objective)
    return f"{told}, n = {n}" if n and "±" in told else told


def of_trial(point: Point, objective: Objective) -> str:
    """The value of another trial: 79.0 ± 2.4 % of trial 0."""
    return f"{_value(point, objective)} of trial {point.trial}"


def described(point: Point, objectives: Sequence[Objective]) -> str:
    """A trial with its objectives: trial 3 (accuracy 70.0 %, interpretability 65.0 %)."""
    values = (f"{words.name(o.name)} {_value(point, o)}" for o in objectives)
    return f"trial {point.trial} ({', '.join(values)})"


def alternatives(others: Sequence[Point], objectives: Sequence[Objective]) -> str:
    """The alternative trials, the best in the first objective first; empty if there are none."""
    if not others:
        return ""
    first = objectives[0]
    ordered = sorted(others, key=lambda p: (-first.goodness(p.values[first.name]), p.trial))
    named = [described(p, objectives) for p in ordered[:MOST_NAMED]]
    if len(ordered) > MOST_NAMED:
        named.append(f"{len(ordered) - MOST_NAMED} more")
    return f"; the {'alternative is' if len(named) == 1 else 'alternatives are'} {words.listing(named)}"


def equals(point: Point, members: Sequence[Point], objectives: Sequence[Objective]) -> str:
    """Names the members with the same values, of which the earliest was taken; empty if there are none."""
    twins = [str(p.trial) for p in members if p.trial != point.trial and same(p, point, objectives)]
    if not twins:
        return ""
    trials = f"trial {twins[0]} has" if len(twins) == 1 else f"trials {words.listing(twins)} have"
    return f"; {trials} the same values, and the earliest is taken"


def same(one: Point, other: Point, objectives: Sequence[Objective]) -> bool:
    """Whether two points are equal in all objectives, up to rounding errors."""
    return all(abs(one.values[o.name] - other.values[o.name]) <= TIE * (o.high - o.low) for o in objectives)


def _value(point: Point, objective: Objective) -> str:
    """A value with its unit and error, if it has one: 78.4 ± 2.4 %; without unit if the name implies it."""
    unit = "" if objective.unit in words.name(objective.name).split() else objective.unit
    number = words.number(point.values[objective.name], objective.unit)
    deviation = point.error(objective.name)
    if deviation is not None:
        number += f" ± {uncertainty.plus_minus(deviation)}"
    return f"{number} {unit}".strip()
