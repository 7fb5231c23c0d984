"""Outcome constraints and the reference point of a recipe: what a result has to be worth, read and checked."""

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from yaml.nodes import MappingNode, Node

from tuner.base.metric import METRICS
from tuner.base.spelling import did_you_mean
from tuner.errors import UsageError
from tuner.front.constraint import Constraint
from tuner.recipe.nodes import is_null, pairs, show, written
from tuner.recipe.objectives import SIZES, objectives_of
from tuner.recipe.scalars import read_scalar
from tuner.recipe.schema import SHORT_NAMES, Recipe, lookup
from tuner.recipe.space import show_values


def constraints_of(recipe: Recipe) -> tuple[Constraint, ...]:
    """The outcome constraints of a recipe, with its own text of each.

    Raises:
        UsageError: one is in no such form, is on something that no trial has, is out of reach, stands there twice, or
            contradicts another one.
    """
    found = tuple(Constraint.parse(text) for text in recipe.constraints)
    searched = [name for name, dimension in recipe.space.items() if _is_numeric(dimension)]
    known = list(dict.fromkeys([*METRICS, *SIZES, *searched]))
    for constraint in found:
        if constraint.name not in known:
            raise UsageError(
                f"constraint {str(constraint)!r} is on {constraint.name}, which no trial has as a number",
                f"one of {', '.join(known)}",
                did_you_mean(constraint.name, known),
            )
    for place, constraint in enumerate(found):
        _refuse_out_of_reach(constraint, recipe)
        if constraint in found[:place]:
            raise UsageError(f"constraint {str(constraint)!r} stands there twice", "each once", "drop one")
    _refuse_contradictions(found)
    return found


def allowed_space(recipe: Recipe) -> dict[str, dict[str, Any]]:
    """The space without the values that a constraint on a parameter rules out: they are known before a trial runs.

    Raises:
        UsageError: no value of a dimension is left.
    """
    on = {name: [c for c in constraints_of(recipe) if c.name == name] for name in recipe.space}
    return {name: _allowed(name, spec, on[name]) if on[name] else spec for name, spec in recipe.space.items()}


def check_reference(recipe: Recipe) -> None:
    """Refuse a reference of what is no objective, or that no value can be better than.

    Raises:
        UsageError: naming the first.
    """
    objectives = {objective.name: objective for objective in objectives_of(recipe)}
    for name, value in recipe.reference.items():
        if name not in objectives:
            raise UsageError(
                f"reference.{name}={value:g}, and {name} is no objective of this search",
                f"one of {', '.join(objectives)}",
                did_you_mean(name, list(objectives), "drop it, or add it to the objectives"),
            )
        if not math.isfinite(value):
            raise UsageError(f"reference.{name}={value}", "a finite number", "give the worst value that still counts")
        if objectives[name].goodness(value) >= 1.0:
            end = objectives[name].high if objectives[name].direction == "max" else objectives[name].low
            raise UsageError(
                f"reference.{name}={value:g}, and no {name} can be better than {end:g}",
                "the worst value that still counts",
                f"give one on the worse side of {end:g}",
            )


def read_reference(node: Node | None) -> dict[str, float]:
    """The reference values by the name of their objective.

    Raises:
        UsageError: it is no mapping of names and numbers.
    """
    if not isinstance(node, MappingNode):
        todo = "for example 'reference={accuracy: 50}'"
        raise UsageError(f"reference={show(node)}", "{OBJECTIVE: VALUE, ..}", todo)
    found: dict[str, float] = {}
    for name, value in pairs(node, "reference"):
        text = None if is_null(value) else written(value, f"reference.{name}")
        if text is None:
            raise UsageError(f"reference.{name} is null", "a number", "write it, or drop the name")
        found[name] = read_scalar(text, float, f"reference.{name}")
    return found


def _allowed(name: str, spec: Mapping[str, Any], constraints: Sequence[Constraint]) -> dict[str, Any]:
    """A dimension without the values that violate a constraint."""
    narrow: dict[str, Any]
    if "choices" in spec:
        fine = [v for v in spec["choices"] if not any(c.violation({name: v}) for c in constraints)]
        narrow, is_empty = {"choices": fine}, not fine
    else:
        narrow = _range(spec, constraints)
        is_empty = narrow["low"] > narrow["high"]
    if is_empty:
        raise UsageError(
            f"no value of space.{name}={_told(spec)} satisfies {' and '.join(map(str, constraints))}",
            "constraints that some point of the space satisfies",
            f"widen space.{name}, or correct the constraint",
        )
    return {"choices": [narrow["low"]]} if "low" in narrow and narrow["low"] == narrow["high"] else narrow


def _range(spec: Mapping[str, Any], constraints: Sequence[Constraint]) -> dict[str, Any]:
    """A range from the first to the last value that satisfies the constraints; low above high: there is none."""
    kind, low, high = type(spec["low"]), Decimal(str(spec["low"])), Decimal(str(spec["high"]))
    step = Decimal(str(spec.get("step") or (1 if kind is int else 0)))
    least, most = low, high
    for constraint in constraints:
        bound = Decimal(str(constraint.bound))
        if constraint.sense == ">=":
            least = max(least, bound)
        else:
            most = min(most, bound)
    if step:
        least = low + ((least - low) / step).to_integral_value(ROUND_CEILING) * step
        most = low + ((most - low) / step).to_integral_value(ROUND_FLOOR) * step
    return {**spec, "low": kind(least), "high": kind(most)}


def _told(spec: Mapping[str, Any]) -> str:
    if "choices" in spec:
        return show_values(spec["choices"])
    return f"{spec['low']:g} to {spec['high']:g}" + (f" by {spec['step']:g}" if spec.get("step") else "")


def _refuse_out_of_reach(constraint: Constraint, recipe: Recipe) -> None:
    """Refuse a percentage that is never reached, and a size that no trial has."""
    if constraint.name in METRICS:
        metric = METRICS[constraint.name]
        if metric.unit == "%" and constraint.sense == ">=" and constraint.bound > metric.high:
            raise UsageError(
                f"constraint {str(constraint)!r}, and {constraint.name} is {metric.high:g} % at most",
                "a bound that a trial can satisfy",
                "correct it, in percent",
            )
    elif constraint.name in SIZES and constraint.name not in recipe.space:
        value = lookup(recipe, SHORT_NAMES[constraint.name])
        if constraint.violation({constraint.name: value}):
            raise UsageError(
                f"constraint {str(constraint)!r}, and every trial has {constraint.name}={value}",
                "a bound that a trial can satisfy",
                f"correct it, or add space.{constraint.name}",
            )


def _is_numeric(dimension: dict[str, Any]) -> bool:
    values: Iterable[Any] = dimension.get("choices", (dimension.get("low"),))
    return all(type(value) in (int, float) for value in values)


def _refuse_contradictions(constraints: tuple[Constraint, ...]) -> None:
    for least in (c for c in constraints if c.sense == ">="):
        for most in (c for c in constraints if c.sense == "<=" and c.name == least.name):
            if least.bound > most.bound:
                raise UsageError(
                    f"constraints {str(least)!r} and {str(most)!r}", "bounds that a trial can satisfy", "correct one"
                )
