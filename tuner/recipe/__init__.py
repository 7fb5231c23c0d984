"""The recipe: the complete settings of a search, validated once on input.

Presets live in `tuner/recipes/*.yaml`; `key=value` overrides are merged on top.
"""

from tuner.recipe.bounds import allowed_space, constraints_of
from tuner.recipe.check import check_recipe
from tuner.recipe.load import difference, load_recipe, parse_recipe, presets
from tuner.recipe.objectives import objectives_of
from tuner.recipe.protocol import CHOSEN_ON_TEST, caution, chosen_on_test
from tuner.recipe.reference import Field, describe_fields, fields
from tuner.recipe.samplers import SAMPLERS, SamplerKind, SamplerSettings, lag_of, register_sampler
from tuner.recipe.schema import (
    BudgetConfig,
    ConfirmConfig,
    PricesConfig,
    Recipe,
    ResourcesConfig,
    StageResources,
    TrackingConfig,
)
from tuner.recipe.stopping import StoppingConfig

__all__ = [
    "CHOSEN_ON_TEST",
    "SAMPLERS",
    "BudgetConfig",
    "ConfirmConfig",
    "Field",
    "PricesConfig",
    "Recipe",
    "ResourcesConfig",
    "SamplerKind",
    "SamplerSettings",
    "StageResources",
    "StoppingConfig",
    "TrackingConfig",
    "allowed_space",
    "caution",
    "check_recipe",
    "chosen_on_test",
    "constraints_of",
    "describe_fields",
    "difference",
    "fields",
    "lag_of",
    "load_recipe",
    "objectives_of",
    "parse_recipe",
    "presets",
    "register_sampler",
]
