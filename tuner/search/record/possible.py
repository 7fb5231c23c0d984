"""Validates trial parameters from a ledger against the recipe's space."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb
from typing import Any

from tuner.recipe import Recipe
from tuner.recipe.points import SIZES, lies_in
from tuner.recipe.schema import SHORT_NAMES, lookup
from tuner.search.record.fields import InvalidEventError, told


@dataclass(frozen=True)
class Possible:
    """The constraints on every proposal of a search.

    Attributes:
        space: the recipe's dimensions.
        fixed: the named parameters that are equal for all trials or have a default, in the order of a proposal.
        sizes: the three sizes, as far as they are not searched.
        n_classes: classes of the data; 1 if unknown.
        trials: total number of trials in the recipe.
    """

    space: Mapping[str, Any]
    fixed: Mapping[str, Any]
    sizes: Mapping[str, int]
    n_classes: int = 1
    trials: int | None = None

    @classmethod
    def of(cls, recipe: Recipe, n_classes: int = 1) -> "Possible":
        """Those of a recipe."""
        sizes = {name: lookup(recipe, SHORT_NAMES[name]) for name in SIZES}
        return cls(recipe.space, recipe.parameters(), sizes, n_classes, recipe.budget.trials)

    def holds(self, name: str, value: Any) -> bool:
        """Whether a dimension of the space has this value."""
        return lies_in(self.space[name], value)

    def settled(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The parameters, completed by those that earlier versions left out because the recipe implies them.

        Raises:
            InvalidEventError: no trial of this search has them.
        """
        for name, dimension in self.space.items():
            if name not in params:
                raise InvalidEventError(f"its params lack {name}")
            if not lies_in(dimension, params[name]):
                raise InvalidEventError(
                    f"its params hold {name}: {told(params[name])}, which is not in the space of the recipe"
                )
        for name, value in params.items():
            if name not in self.fixed:
                raise InvalidEventError(f"its params hold {told(name)}, which is no parameter of the recipe")
            if name not in self.space and (type(value) is not type(self.fixed[name]) or value != self.fixed[name]):
                raise InvalidEventError(
                    f"its params hold {name}: {told(value)}, where the recipe has {told(self.fixed[name])}"
                )
        k, m, width = (params.get(name, self.sizes[name]) for name in SIZES)
        if not (0 < k <= m <= width and comb(m, k) >= self.n_classes):
            raise InvalidEventError(f"its params are no trial: {k} of {m} features per class, of {width}")
        return {**self.fixed, **params}
