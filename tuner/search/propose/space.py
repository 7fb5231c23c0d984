"""The space of a search as samplers see it: dimensions that are drawn, encoded as numbers, and listed.

Numbers keep their order: a list of choices that are numbers is drawn by position in the sorted list, so that a sampler
learns from neighbours, whether they are evenly spaced, powers of two, or fractions.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

from tuner.recipe.points import end_of, exact, lies_in

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

Params = dict[str, Any]
DIGITS = 12  # of the levels of a continuous dimension


class Steps(Sequence[float]):
    """The numbers `low`, `low + step`, ..., exact as they were written; made on demand, as there may be a million."""

    def __init__(self, low: Decimal, step: Decimal, count: int) -> None:
        self._low, self._step, self._places = low, step, range(count)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> float: ...
    @overload
    def __getitem__(self, place: slice) -> list[float]: ...
    def __getitem__(self, place: int | slice) -> float | list[float]:
        if isinstance(place, slice):
            return [self[one] for one in self._places[place]]
        return float(self._low + self._places[place] * self._step)


class Dimension:
    """One dimension of the space.

    Args:
        spec: as in the recipe, `{choices: [..]}` or `{low, high, step, log}`.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        choices = list(spec.get("choices", ()))
        self.is_ordered = all(type(value) in (int, float) for value in choices)
        self.values: Sequence[Any] | None = None  # of a discrete dimension, in order
        if choices:
            self.values = sorted(choices) if self.is_ordered else choices
        elif isinstance(spec["low"], int) and isinstance(spec["high"], int):
            self.values = range(spec["low"], spec["high"] + 1, spec.get("step") or 1)
        elif spec.get("step"):
            low, high, step = (Decimal(str(spec[name])) for name in ("low", "high", "step"))
            self.values = Steps(low, step, int((high - low) / step) + 1)
        self.is_log = bool(spec.get("log"))

    def distribution(self) -> "BaseDistribution":
        """What Optuna draws: a position, a category, or a number."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

        if self.values is None:
            return FloatDistribution(float(self.spec["low"]), float(self.spec["high"]), log=self.is_log)
        if not self.is_ordered:
            return CategoricalDistribution(self.values)
        if self.is_log:
            return IntDistribution(self.values[0], self.values[-1], log=True)
        return IntDistribution(0, len(self.values) - 1)

    def encode(self, value: Any) -> Any:
        """A value as Optuna's distribution has it."""
        if self.values is None:
            return self.within(value)
        if not self.is_ordered or self.is_log:
            return value
        return self.position(value)

    def decode(self, drawn: Any) -> Any:
        """The value that a draw of Optuna's distribution stands for."""
        if self.values is None:
            return self.within(drawn)
        if not self.is_ordered or self.is_log:
            return drawn
        return self.values[drawn]

    def position(self, value: Any) -> int:
        """Place of a value in a discrete dimension; a fraction may differ by rounding."""
        assert self.values is not None
        if self.spec.get("step") and not isinstance(self.values, range):
            steps = (value - self.spec["low"]) / self.spec["step"]
            return int(steps + 0.5)
        return self.values.index(value)

    def coordinate(self, value: Any) -> float:
        """A value as a number whose order is that of the dimension."""
        if self.values is None or isinstance(self.values, range):
            return float(value)
        return float(self.position(value))

    def at(self, share: float) -> Any:
        """The value at a share of the dimension, 0 <= share < 1, so that equal shares are drawn equally often."""
        if self.values is not None and not self.is_log:
            return self.values[int(share * len(self.values))]
        if self.values is not None:  # whole numbers by their logarithm, each as wide as from its half below to above
            low, high = self.values[0] - 0.5, self.values[-1] + 0.5
            return min(max(round(low * (high / low) ** share), self.values[0]), self.values[-1])
        return self.between(share)

    def between(self, share: float) -> float:
        """The number at a share of a continuous dimension, both ends included."""
        low, high = float(self.spec["low"]), float(self.spec["high"])
        value = math.exp(math.log(low) + share * (math.log(high) - math.log(low))) if self.is_log else 0.0
        if not self.is_log:
            value = low * (1.0 - share) + high * share
        return self.within(value)

    def within(self, value: float) -> float:
        """A number of a continuous dimension; where it differs from an end by rounding only, that end."""
        end = end_of(self.spec, value)
        return float(value) if end is None else end

    def levels(self, count: int) -> list[Any]:
        """All values of a choice or a range with a step; of another range `count` values, its ends included."""
        if self.values is not None and (self.spec.get("choices") or self.spec.get("step") or len(self.values) <= count):
            return list(self.values)
        if self.values is not None:
            shares = (place / (count - 1) for place in range(count))
            low, high = self.values[0], self.values[-1]
            found = [low * (high / low) ** s if self.is_log else low + s * (high - low) for s in shares]
            return sorted({round(value) for value in found})
        levels = (self.between(place / (count - 1)) for place in range(count))
        return [float(f"{value:.{DIGITS}g}") for value in levels]  # 1.0, not 1.0000000000000002, which is another point


class Space:
    """All dimensions of a search, by name, in the order of the recipe.

    Args:
        space: as in the recipe.
    """

    def __init__(self, space: Mapping[str, Mapping[str, Any]]) -> None:
        self.dimensions = {name: Dimension(spec) for name, spec in space.items()}

    @cached_property
    def distributions(self) -> "dict[str, BaseDistribution]":
        """What Optuna draws, by name."""
        return {name: dimension.distribution() for name, dimension in self.dimensions.items()}

    def encode(self, params: Mapping[str, Any]) -> Params:
        """A point as Optuna's distributions have it."""
        return {name: dimension.encode(params[name]) for name, dimension in self.dimensions.items()}

    def decode(self, drawn: Mapping[str, Any]) -> Params:
        """The point that draws of Optuna's distributions stand for."""
        return {name: dimension.decode(drawn[name]) for name, dimension in self.dimensions.items()}

    def at(self, shares: Iterable[float]) -> Params:
        """The point at these shares of the dimensions, each 0 <= share < 1."""
        return {
            name: dimension.at(float(share))
            for (name, dimension), share in zip(self.dimensions.items(), shares, strict=True)
        }

    def coordinates(self, params: Mapping[str, Any]) -> list[float]:
        """A point as numbers, of which only the order within a dimension matters."""
        return [dimension.coordinate(params[name]) for name, dimension in self.dimensions.items()]

    def holds(self, params: Mapping[str, Any]) -> bool:
        """Whether a point of an older search lies in this space."""
        return all(name in params and lies_in(d.spec, params[name]) for name, d in self.dimensions.items())

    def point(self, params: Mapping[str, Any]) -> tuple[Any, ...]:
        """The values of a trial in this space, without rounding errors, to compare points by."""
        return tuple(exact(dimension.spec, params[name]) for name, dimension in self.dimensions.items())

    @property
    def size(self) -> float:
        """Number of points; infinite where a dimension is continuous."""
        return math.prod(math.inf if d.values is None else len(d.values) for d in self.dimensions.values())
