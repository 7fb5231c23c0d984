"""The one place where a recipe is checked: bounds and choices of every field, the space, the objectives."""

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

from tuner.errors import InfeasibleError, UsageError
from tuner.recipe.objectives import extremes, objectives_of
from tuner.recipe.schema import SHORT_NAMES, Recipe, fields
from tuner.recipe.space import bounds, check_dimension, searched_name


def check_recipe(recipe: Recipe) -> None:
    """Check bounds, choices, space and objectives.

    Raises:
        UsageError: naming the first field that is wrong.
    """
    for path, value, info in fields(recipe):
        _check_value(path, value, info)
    if "@" in recipe.tracking.uri and not recipe.tracking.uri.startswith(("sqlite:", "file:", "/", ".")):
        raise UsageError(
            "tracking.uri holds a user or a password (not shown here), and recipes are kept for everybody to read",
            "an address without them",
            "set the whole address in MLFLOW_TRACKING_URI instead",
        )
    for name in recipe.space:
        _check_dimension(name, recipe)
    objectives_of(recipe)
    if sum(1 for _ in feasible_corners(recipe)) == 0:
        raise InfeasibleError(
            f"no point of the space {_space_line(recipe.space)} is feasible",
            "features_per_class <= n_features <= width somewhere in it",
            "widen space.width or space.n_features, or lower space.features_per_class",
        )


def feasible_corners(recipe: Recipe) -> Iterator[dict[str, Any]]:
    """The extreme combinations of the three sizes that satisfy k <= m <= U (METHOD 9, trap 14)."""
    sizes = [extremes(recipe, name) for name in ("features_per_class", "n_features", "width")]
    for k in sizes[0]:
        for m in sizes[1]:
            for width in sizes[2]:
                if k <= m <= width:
                    yield {"features_per_class": k, "n_features": m, "width": width}


def _check_value(path: str, value: Any, info: dataclasses.Field[Any]) -> None:
    choices, low, high = (info.metadata.get(name) for name in ("choices", "low", "high"))
    if choices is not None and value not in choices:
        raise UsageError(f"{path}={value!r}", f"one of {', '.join(map(str, choices))}", "choose one of them")
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{path}={value}", "a finite number", "give a number")
    if low is not None and value < low:
        raise UsageError(f"{path}={value}", f"at least {low}", f"{info.metadata['help']}: raise it")
    if high is not None and value > high:
        raise UsageError(f"{path}={value}", f"at most {high}", f"{info.metadata['help']}: lower it")


def _check_dimension(name: str, recipe: Recipe) -> None:
    path = SHORT_NAMES.get(searched_name(name), name)
    info = next(info for key, _, info in fields(recipe) if key == path)
    check_dimension(name, recipe.space[name])
    if path.endswith(".precision") and "auto" in bounds(recipe.space[name]):
        raise UsageError(
            f"space.{name} holds auto",
            "number types by name, since auto is settled once for a whole search",
            "write float32, bfloat16 or both",
        )
    for value in bounds(recipe.space[name]):
        _check_value(f"space.{name}", value, info)


def _space_line(space: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={bounds(dimension)}" for name, dimension in space.items()) or "{}"
