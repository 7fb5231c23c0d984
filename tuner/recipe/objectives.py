"""The objectives of a search: metrics and sizes by name, each with a direction and a natural range."""

from collections.abc import Sequence
from typing import Any

from tuner.base.metric import METRICS
from tuner.base.spelling import did_you_mean
from tuner.errors import UsageError
from tuner.front.pareto import Objective
from tuner.recipe.schema import SHORT_NAMES, Recipe, lookup
from tuner.recipe.space import bounds

SIZES = ("n_features", "features_per_class", "width", "hidden")


def objectives_of(recipe: Recipe, names: Sequence[str] | None = None) -> tuple[Objective, ...]:
    """Objectives from `name`, `name:max` or `name:min`, with the natural range of each; the recipe's own for None.

    Raises:
        UsageError: for a name that is neither a metric nor a size, the same name twice, or no name at all.
    """
    entries = recipe.objectives if names is None else names
    found = tuple(_objective(entry, recipe) for entry in entries)
    if not found or len({objective.name for objective in found}) < len(found):
        raise UsageError(f"objectives={list(entries)}", "at least one, each once", "name different objectives")
    return found


def _objective(entry: str, recipe: Recipe) -> Objective:
    name, sign, direction = entry.partition(":")
    if sign and direction not in ("max", "min"):
        raise UsageError(f"objective {entry!r}", "`name`, `name:max` or `name:min`", "correct the direction")
    if name in METRICS:
        metric = METRICS[name]
        return Objective(name, direction or metric.direction, metric.low, metric.high, metric.unit)  # type: ignore[arg-type]
    if name in SIZES:
        values = extremes(recipe, name)
        best = float(max(values) if direction == "max" else min(values))
        return Objective(name, direction or "min", 0.0, float(max(values)), "", best)  # type: ignore[arg-type]
    raise UsageError(
        f"objective {name!r} is unknown",
        f"one of {', '.join([*METRICS, *SIZES])}",
        did_you_mean(name, [*METRICS, *SIZES]),
    )


def extremes(recipe: Recipe, name: str) -> list[Any]:
    """All choices, or both ends, of one of the sizes; its fixed value where it is not searched."""
    dimension = recipe.space.get(name, recipe.space.get(SHORT_NAMES[name]))
    if dimension is None:
        return [lookup(recipe, SHORT_NAMES[name])]
    return bounds(dimension)
