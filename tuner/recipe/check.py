"""The one place where a recipe is checked: bounds and choices of every field, the space, the objectives."""

import dataclasses
import difflib
import math
from collections.abc import Iterator, Mapping
from typing import Any

from tuner.errors import InfeasibleError, UsageError
from tuner.recipe.objectives import extremes, objectives_of
from tuner.recipe.schema import SHORT_NAMES, Recipe, fields, lookup

# Groups whose fields can be searched: what makes the feature bank and the split is the same for all trials.
SEARCHED = ("adapter", "dense", "assign", "finetune", "seed")


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
    if len({entry.partition(":")[0] for entry in recipe.objectives}) != len(recipe.objectives) or not recipe.objectives:
        raise UsageError(f"objectives={recipe.objectives}", "at least one, each once", "name different objectives")
    objectives_of(recipe)
    if recipe.adapter.n_layers == 0:
        raise UsageError(
            "adapter.n_layers=0", "at least 1 layer: without an adapter there is nothing to fine-tune", "raise it"
        )
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
    dimension, path = recipe.space[name], SHORT_NAMES.get(name, name)
    known = {key: info for key, _, info in fields(recipe) if key.partition(".")[0] in SEARCHED}
    if path not in known:
        close = difflib.get_close_matches(name, [*SHORT_NAMES, *known], n=1)
        raise UsageError(
            f"space.{name} is no field that can be searched",
            f"one of {', '.join(SHORT_NAMES)}, or a dotted field of {', '.join(SEARCHED)}",
            f"did you mean {close[0]!r}?" if close else "see --help-recipe for all fields",
        )
    keys = set(dimension) if isinstance(dimension, dict) else set()
    if keys != {"choices"} and not ({"low", "high"} <= keys <= {"low", "high", "step", "log"}):
        raise UsageError(
            f"space.{name}={dimension}",
            "{choices: [..]} or {low: .., high: ..} with optional step or log: true",
            f"for example 'space.{name}={{choices: [1, 2]}}'",
        )
    _check_range(name, dimension)
    current = lookup(recipe, path)
    for value in dimension.get("choices") or (dimension["low"], dimension["high"]):
        if type(value) is not type(current) and not (isinstance(current, float) and type(value) is int):
            raise UsageError(f"space.{name} holds {value!r}", f"values like {current!r}", "mend the value")
        _check_value(f"space.{name}", value, known[path])


def _check_range(name: str, dimension: Mapping[str, Any]) -> None:
    if dimension.get("choices") == []:
        raise UsageError(f"space.{name}={dimension}", "at least one choice", "name the values to try")
    if "low" not in dimension:
        return
    low, high = dimension["low"], dimension["high"]
    if not (isinstance(low, int | float) and isinstance(high, int | float) and low <= high):
        raise UsageError(f"space.{name}={dimension}", "numbers with low <= high", "mend the range")
    if dimension.get("log") and (low <= 0 or "step" in dimension):
        raise UsageError(f"space.{name}={dimension}", "low > 0 and no step on a log scale", "raise low or drop log")


def _space_line(space: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={list(d.get('choices') or (d['low'], d['high']))}" for name, d in space.items()) or "{}"
