"""The built-in samplers by name. Optuna and torch are imported when one is made, and not to read a recipe."""

from typing import Any

from tuner.base.registry import kind_of
from tuner.recipe import Recipe, allowed_space
from tuner.recipe.samplers import SAMPLERS, SamplerConfig, SamplerKind
from tuner.search.propose.protocol import Sampler
from tuner.search.propose.space import Space

GP_DRAWS = 4  # each costs as much as fitting the process


def make_sampler(recipe: Recipe) -> Sampler:
    """The sampler that a recipe names, in its space without what a constraint on a parameter rules out.

    Raises:
        UsageError: it is unknown, or does not fit the space.
    """
    kind = kind_of(recipe.sampler, SAMPLERS, "sampler")
    made: Sampler = kind.make(recipe.sampler, Space(allowed_space(recipe)))
    return made


def _tpe(config: SamplerConfig, space: Space) -> Sampler:
    from optuna.samplers import TPESampler

    from tuner.search.propose.guided import Guided

    rules: dict[str, Any] = {"n_startup_trials": config.startup, "multivariate": True, "constant_liar": True}
    return Guided(space, lambda seed: TPESampler(seed=seed, **rules))


def _gp(config: SamplerConfig, space: Space) -> Sampler:
    from tuner.search.propose.gaussian import gaussian_sampler
    from tuner.search.propose.guided import Guided

    return Guided(space, lambda seed: gaussian_sampler(seed, config.startup), draws=GP_DRAWS)


def _nsga2(config: SamplerConfig, space: Space) -> Sampler:
    from optuna.samplers import NSGAIISampler

    from tuner.search.propose.guided import Guided

    generation = NSGAIISampler._get_generation_key()  # kept by Optuna with each trial; here it follows from its place

    def attributes(place: int) -> dict[str, Any]:
        return {generation: place // config.population}

    return Guided(
        space, lambda seed: NSGAIISampler(seed=seed, population_size=config.population), attributes=attributes
    )


def _random(config: SamplerConfig, space: Space) -> Sampler:
    from tuner.search.propose.plain import Random

    return Random(config, space)


def _qmc(config: SamplerConfig, space: Space) -> Sampler:
    from tuner.search.propose.plain import Qmc

    return Qmc(config, space)


def _grid(config: SamplerConfig, space: Space) -> Sampler:
    from tuner.search.propose.plain import Grid

    return Grid(config, space)


for _name, _make in (
    ("tpe", _tpe),
    ("gp", _gp),
    ("nsga2", _nsga2),
    ("random", _random),
    ("qmc", _qmc),
    ("grid", _grid),
):
    SAMPLERS.declare(SamplerKind(_name, _make, SamplerConfig))
