"""Checks before any computation that the adapters a search may try fit the backbone's tokens.

Otherwise each of these trials would fail on its own, after the features have been extracted.
"""

from dataclasses import replace
from itertools import product
from typing import Any, Protocol

from tuner.qpm.adapter_fit import check_fit
from tuner.recipe import Recipe
from tuner.recipe.schema import SHORT_NAMES, lookup
from tuner.recipe.space import bounds

_TOLD = ("width", "pooling", "residual")  # settings of the adapter that a backbone may not allow


class Tokens(Protocol):
    """What is asked of a backbone, or of the facts about it."""

    @property
    def dim(self) -> int:
        """Width of a token."""
        ...

    @property
    def has_cls(self) -> bool:
        """Whether there is a CLS token."""
        ...


def refuse_unfit(recipe: Recipe, backbone: Tokens) -> None:
    """Refuse adapters that a token of this backbone cannot enter, or be added to.

    Args:
        recipe: with all values that its space has.
        backbone: its width of a token, and whether there is a CLS token.

    Raises:
        UsageError: naming the setting.
    """
    for values in product(*(_values(recipe, name) for name in _TOLD)):
        check_fit(replace(recipe.adapter, **dict(zip(_TOLD, values, strict=True))), backbone.dim, backbone.has_cls)


def _values(recipe: Recipe, name: str) -> list[Any]:
    """All values of a setting of the adapter that a trial may have, or the two ends of a range."""
    path = f"adapter.{name}"
    for searched, dimension in recipe.space.items():
        if SHORT_NAMES.get(searched, searched) == path:
            return bounds(dimension)
    return [lookup(recipe, path)]
