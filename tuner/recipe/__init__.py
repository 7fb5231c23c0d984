"""The recipe: everything a search is made of, validated once at the edge.

Presets live in `tuner/recipes/*.yaml`; `key=value` overrides are merged on top.
"""

from tuner.recipe.check import check_recipe
from tuner.recipe.load import difference, load_recipe, parse_recipe, presets
from tuner.recipe.objectives import objectives_of
from tuner.recipe.schema import BudgetConfig, Recipe, ResourcesConfig, StageResources, TrackingConfig, describe_fields

__all__ = [
    "BudgetConfig",
    "Recipe",
    "ResourcesConfig",
    "StageResources",
    "TrackingConfig",
    "check_recipe",
    "describe_fields",
    "difference",
    "load_recipe",
    "objectives_of",
    "parse_recipe",
    "presets",
]
