"""How trials are proposed: the samplers by name, and the settings of each, in the recipe's part `sampler`.

Each sampler has a dataclass of settings of its own. A recipe holds one: `SamplerConfig` for any built-in sampler, each
of which reads its own settings, and the class given in its `SamplerKind` for another one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tuner.base.registry import Registry
from tuner.base.settings import check_settings, setting


@dataclass(frozen=True)
class SamplerKind:
    """One kind of sampler.

    Attributes:
        name: `sampler.name` in a recipe.
        make: `make(config, space)` gives a `tuner.search.propose.protocol.Sampler`; `config` is of the class
            `settings`, `space` a `tuner.search.propose.space.Space`.
        settings: dataclass of its settings, derived from `SamplerSettings`.
    """

    name: str
    make: Callable[[Any, Any], Any]
    settings: type


SAMPLERS: Registry[SamplerKind] = Registry(
    "sampler", SamplerKind, group="qpm_tuner.samplers", home="tuner.search.propose.registry"
)


@dataclass
class SamplerSettings:
    """What all samplers have."""

    name: str = setting("tpe", "which sampler proposes the trials", choices=SAMPLERS)
    recipe_first: bool = setting(
        True, "try the recipe's own settings first, after `points`, where they lie in the space"
    )
    lag: int = setting(
        -1,
        "a proposal uses the outcomes of all trials but the last `lag - 1` before it; -1: one and a half times "
        "`budget.parallel`, as it is when the search starts",
        low=1,
        high=4096,
        automatic=-1,
        unit="trials",
    )


@dataclass
class TpeSettings(SamplerSettings):
    """Of TPE and GP, which begin with random trials."""

    startup: int = setting(10, "tpe, gp: trials drawn at random before the model proposes", low=1, unit="trials")


@dataclass
class Nsga2Settings(SamplerSettings):
    """Of NSGA-II."""

    population: int = setting(12, "nsga2: trials in a generation", low=2, unit="trials")


@dataclass
class GridSettings(SamplerSettings):
    """Of the grid."""

    levels: int = setting(4, "grid: values of a range without a step, ends included", low=2, high=1000)


@dataclass
class SamplerConfig(GridSettings, Nsga2Settings, TpeSettings):
    """Of any built-in sampler; each reads its own."""


def register_sampler(kind: SamplerKind) -> SamplerKind:
    """Add a sampler of one's own to those that a recipe can name.

    Raises:
        UsageError: its name is taken or invalid, or its settings are no dataclass derived from `SamplerSettings`.
    """
    check_settings(kind.settings, SamplerSettings)
    return SAMPLERS.add(kind)


def lag_of(sampler: SamplerSettings, parallel: int) -> int:
    """The lag in trials: proposal n uses the outcomes of exactly the trials 0 .. n - lag."""
    return sampler.lag if sampler.lag > 0 else parallel + parallel // 2
