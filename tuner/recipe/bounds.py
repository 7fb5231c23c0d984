"""Outcome constraints and the reference point of a recipe: what a result has to be worth, read and checked."""

import math
from collections.abc import Iterable
from typing import Any

from yaml.nodes import MappingNode, Node

from tuner.base.metric import METRICS
from tuner.base.spelling import did_you_mean
from tuner.errors import UsageError
from tuner.front.constraint import Constraint
from tuner.recipe.nodes import is_null, pairs, show, written
from tuner.recipe.objectives import SIZES, objectives_of
from tuner.recipe.scalars import read_scalar
from tuner.recipe.schema import Recipe


def constraints_of(recipe: Recipe) -> tuple[Constraint, ...]:
    """The outcome constraints of a recipe, with its own text of each.

    Raises:
        UsageError: one is in no such form, is on something that no trial has, or contradicts another one.
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
    _refuse_contradictions(found)
    return found


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
