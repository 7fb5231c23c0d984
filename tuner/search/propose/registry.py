"""The built-in samplers by name. Their libraries are imported on use, so that a recipe can be read without them."""

from typing import Any

from tuner.recipe.samplers import SAMPLERS, SamplerConfig, SamplerKind


def _tpe(config: Any, space: Any) -> Any:
    raise NotImplementedError


for _name in ("tpe", "gp", "nsga2", "random", "qmc", "grid"):
    SAMPLERS.declare(SamplerKind(_name, _tpe, SamplerConfig))
