"""Samplers that learn nothing: uniform draws, a Sobol sequence, and a grid."""

import math
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tuner.errors import UsageError
from tuner.recipe.samplers import SamplerConfig, SamplerSettings
from tuner.search.propose.protocol import History
from tuner.search.propose.space import Params, Space

if TYPE_CHECKING:
    from scipy.stats.qmc import Sobol

LARGEST_GRID = 20_000
LONGEST_SEQUENCE = 2**20


def uniform(space: Space, number: int, seed: int) -> Iterator[Params]:
    """Points drawn uniformly, on the logarithmic scale where a dimension says so; endless."""
    rng = np.random.default_rng([seed, number])
    while True:
        yield space.at(rng.random(len(space.dimensions)))


class Random:
    """Uniform draws."""

    def __init__(self, config: SamplerSettings, space: Space) -> None:
        self._space = space

    def points(self, history: History, number: int, seed: int) -> Iterator[Params]:
        """As the protocol says."""
        return uniform(self._space, number, seed)


class Qmc:
    """A scrambled Sobol sequence, point by point; those that are infeasible or repeat a trial are passed over."""

    def __init__(self, config: SamplerSettings, space: Space) -> None:
        self._space = space

    def points(self, history: History, number: int, seed: int) -> Iterator[Params]:
        """As the protocol says; the sequence is the same for all trials."""
        if not self._space.dimensions:
            yield {}
            return
        engine, drawn = self._engine(seed), 0
        while drawn < LONGEST_SEQUENCE:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # on the balance of a part of the sequence
                block = engine.random(max(drawn, 64))
            drawn += len(block)
            yield from (self._space.at(shares) for shares in block)
        yield from uniform(self._space, number, seed)

    def _engine(self, seed: int) -> "Sobol":
        from scipy.stats.qmc import Sobol

        return Sobol(len(self._space.dimensions), scramble=True, rng=np.random.default_rng(seed))


class Grid:
    """Every point of a grid once, in an order drawn by the seed, so that a part of it is spread as well.

    Args:
        config: gives the values of a range without a step.
        space: of the search.

    Raises:
        UsageError: the grid is too large.
    """

    def __init__(self, config: SamplerConfig, space: Space) -> None:
        self._axes = {name: dimension.levels(config.levels) for name, dimension in space.dimensions.items()}
        self._size = math.prod(map(len, self._axes.values()))
        if self._size > LARGEST_GRID:
            name = max(self._axes, key=lambda name: len(self._axes[name]))
            raise UsageError(
                f"sampler.name=grid with {self._size:,} points, {len(self._axes[name]):,} of them along {name}",
                f"at most {LARGEST_GRID:,} points",
                f"give space.{name} fewer values or a larger step, lower sampler.levels, or choose sampler.name=qmc",
            )

    def points(self, history: History, number: int, seed: int) -> Iterator[Params]:
        """As the protocol says; it ends with the grid."""
        lengths = [len(axis) for axis in self._axes.values()]
        for place in np.random.default_rng(seed).permutation(self._size):
            places = np.unravel_index(place, lengths) if lengths else ()
            yield {name: axis[at] for (name, axis), at in zip(self._axes.items(), places, strict=True)}
