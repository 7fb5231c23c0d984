"""Points that a search may propose, to count the stages ahead: drawn at random, by a seed of their own."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tuner.recipe import Recipe
from tuner.recipe.schema import SHORT_NAMES, lookup

ATTEMPTS = 200
"""Draws in a row that find nothing new, after which a space counts as exhausted."""


def draw_points(recipe: Recipe, n: int) -> list[dict[str, Any]]:
    """Up to `n` different points of the space whose sizes are possible; fewer where the space has no more."""
    generator = np.random.default_rng(recipe.seed)
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    vain = 0
    while len(found) < n and vain < ATTEMPTS:
        point = {name: _draw(dimension, generator) for name, dimension in recipe.space.items()}
        place = tuple(point.values())
        vain = vain + 1 if place in found or not _is_possible(recipe, point) else 0
        if not vain:
            found[place] = point
    return list(found.values())


def _is_possible(recipe: Recipe, point: Mapping[str, Any]) -> bool:
    k, m, width = (
        point.get(name, lookup(recipe, SHORT_NAMES[name])) for name in ("features_per_class", "n_features", "width")
    )
    return bool(k <= m <= width)


def _draw(dimension: Mapping[str, Any], generator: np.random.Generator) -> Any:
    if "choices" in dimension:
        return dimension["choices"][generator.integers(len(dimension["choices"]))]
    low, high, step = dimension["low"], dimension["high"], dimension.get("step")
    if dimension.get("log"):
        value = float(np.exp(generator.uniform(np.log(low), np.log(high))))
        return min(high, max(low, round(value))) if isinstance(low, int) and isinstance(high, int) else value
    if step is None and isinstance(low, int) and isinstance(high, int):
        step = 1
    if step is None:
        return float(generator.uniform(low, high))
    return low + step * int(generator.integers(round((high - low) / step) + 1))
