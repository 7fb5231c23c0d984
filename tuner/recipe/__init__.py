"""The recipe: the complete settings of a search, validated once on input.

Presets live in `tuner/recipes/*.yaml`; `key=value` overrides are merged on top.
"""

from tuner.recipe.check import check_recipe
from tuner.recipe.load import difference, load_recipe, parse_recipe, presets
from tuner.recipe.objectives import objectives_of
from tuner.recipe.protocol import CHOSEN_ON_TEST, caution, chosen_on_test
from tuner.recipe.reference import Field, describe_fields, fields
from tuner.recipe.schema import BudgetConfig, ConfirmConfig, Recipe, ResourcesConfig, StageResources, TrackingConfig
from tuner.recipe.stopping import StoppingConfig

__all__ = [
    "CHOSEN_ON_TEST",
    "BudgetConfig",
    "ConfirmConfig",
    "Field",
    "Recipe",
    "ResourcesConfig",
    "StageResources",
    "StoppingConfig",
    "TrackingConfig",
    "caution",
    "check_recipe",
    "chosen_on_test",
    "describe_fields",
    "difference",
    "fields",
    "load_recipe",
    "objectives_of",
    "parse_recipe",
    "presets",
]
