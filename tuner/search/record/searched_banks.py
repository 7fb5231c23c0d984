"""The feature banks of a search: one, or one for each combination of searched backbone settings.

Their keys are settled when the search starts, before any of them is made, and kept in its recipe.yaml. So a trial's
bank follows from its parameters.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tuner.errors import UsageError
from tuner.features.kept import token_bytes
from tuner.recipe import Recipe
from tuner.recipe.backbones import backbone_points, searched_backbone
from tuner.recipe.schema import lookup

KEY = "[0-9A-Za-z_-]{1,100}"
MOST = 2**40


@dataclass(frozen=True)
class BankPoint:
    """The bank of one combination of backbone settings.

    Attributes:
        at: the searched settings, such as `{"backbone.n_atoms": 64}`.
        key: of the bank.
        grid: tokens per column and per row.
        dim: width of a token.
    """

    at: Mapping[str, Any]
    key: str
    grid: tuple[int, int]
    dim: int

    def told(self) -> str:
        """Its settings in words."""
        return ", ".join(f"{name}={value}" for name, value in self.at.items())

    def bytes_of(self, n_images: int, recipe: Recipe) -> int:
        """The size of its patch tokens of so many images, as the recipe of the search stores them."""
        return n_images * self.grid[0] * self.grid[1] * token_bytes(recipe.at(self.at).backbone.dtype, self.dim)


@dataclass(frozen=True)
class SearchedBanks:
    """The banks of a search over backbones, all of the same images, labels and official split.

    Attributes:
        points: one for each combination, in the order of the space; some may share a bank.
        n_images: images of each bank.
        n_train: of these, on the training side of the official split.
        n_classes: number of classes.
        split_seed: `data.split_seed` of the search; confirmation runs cut validation otherwise, on the same banks.
    """

    points: tuple[BankPoint, ...]
    n_images: int
    n_train: int
    n_classes: int
    split_seed: int

    @cached_property
    def keys(self) -> list[str]:
        """The keys of all banks, each once."""
        return list(dict.fromkeys(point.key for point in self.points))

    @cached_property
    def digest(self) -> str:
        """The hash of all keys (32 hexadecimal digits), for those who want one name for the data of a search."""
        return hashlib.sha256("".join(self.keys).encode()).hexdigest()[:32]

    def of(self, recipe: Recipe) -> BankPoint:
        """The bank of a recipe whose parameters are filled in.

        Raises:
            KeyError: the recipe's own settings are no combination that is searched.
        """
        values = tuple(lookup(recipe, name) for name in self.points[0].at)
        return self._by_values[values]

    @cached_property
    def _by_values(self) -> dict[tuple[Any, ...], BankPoint]:
        return {tuple(point.at.values()): point for point in self.points}

    def of_key(self, key: str) -> BankPoint | None:
        """A combination that has this bank; None: none has."""
        return next((point for point in self.points if point.key == key), None)

    def to_json(self) -> dict[str, Any]:
        """As recipe.yaml holds it."""
        told = [
            {"of": point.told(), "key": point.key, "grid": list(point.grid), "dim": point.dim} for point in self.points
        ]
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        return {**numbers, "points": told}

    @classmethod
    def from_json(cls, content: Any, recipe: Recipe) -> "SearchedBanks":
        """From recipe.yaml, which others may have written.

        Raises:
            UsageError: it is none, or not that of the recipe's space.
        """
        if not (isinstance(content, Mapping) and isinstance(content.get("points"), list)):
            raise _damaged("are no object with points")
        numbers = {name: content.get(name) for name in _NUMBERS}
        if not all(type(n) is int and 0 <= n < MOST for n in numbers.values()):
            raise _damaged("lack a number")
        wanted = backbone_points(recipe)
        if len(content["points"]) != len(wanted) or not searched_backbone(recipe):
            raise _damaged("are not those of the space")
        points = tuple(_point(entry, at) for entry, at in zip(content["points"], wanted, strict=True))
        return cls(points, **numbers)  # type: ignore[arg-type]  # just checked


Bank = str | SearchedBanks
"""The key of a search's feature bank; or its banks, where the backbone is searched."""

_NUMBERS = ("n_images", "n_train", "n_classes", "split_seed")


def bank_key(bank: Bank, recipe: Recipe) -> str:
    """The key of the bank of a trial, whose parameters are filled in."""
    return bank if isinstance(bank, str) else bank.of(recipe).key


def bank_keys(bank: Bank) -> Sequence[str]:
    """The keys of all banks of a search, each once."""
    return [bank] if isinstance(bank, str) else bank.keys


def _point(entry: Any, at: Mapping[str, Any]) -> BankPoint:
    found = entry if isinstance(entry, Mapping) else {}
    key, grid, dim = (found.get(name) for name in ("key", "grid", "dim"))
    if not (isinstance(key, str) and re.fullmatch(KEY, key)):
        raise _damaged("hold one without a key")
    if not (isinstance(grid, list) and len(grid) == 2 and all(_is_size(n) for n in grid) and _is_size(dim)):
        raise _damaged(f"hold no grid and width of {key}")
    made = BankPoint(at, key, (grid[0], grid[1]), dim)  # type: ignore[arg-type]  # just checked
    if found.get("of") != made.told():
        raise _damaged(f"lack that of {made.told()} in its place")
    return made


def _is_size(value: Any) -> bool:
    return type(value) is int and 0 < value < MOST


def _damaged(how: str) -> UsageError:
    return UsageError(f"its banks {how}", "the banks as they were written when the search started", "restore it")
