"""Settles the feature banks of a search over backbones before anything is computed: their keys and their sizes.

No image is opened and no network loaded. Weights that one of many choices lacks are so found before the first trial.
"""

from typing import Any

from tuner.data.dataset import Dataset
from tuner.errors import TunerError, UsageError
from tuner.features.registry import make_backbone, require_frozen
from tuner.features.settings import BackboneSettings
from tuner.recipe import Recipe
from tuner.recipe.backbones import backbone_points
from tuner.search.record.searched_banks import BankPoint, SearchedBanks


def require_frozen_everywhere(recipe: Recipe) -> None:
    """Refuse backbones whose tokens are no features, among all that a trial may have.

    Raises:
        UsageError: naming the first of them.
    """
    for at in backbone_points(recipe):
        require_frozen(recipe.at(at).backbone, "space.backbone.name" if "backbone.name" in at else "backbone.name")


def networks(recipe: Recipe) -> list[Any]:
    """The backbones that a trial may have, their weights not loaded yet; one where none is searched.

    Raises:
        TunerError: weights of one of them are missing, or its settings do not fit together.
    """
    return [_named(at, make_backbone, recipe.at(at).backbone, recipe.data.name) for at in backbone_points(recipe)]


def settle_banks(recipe: Recipe, dataset: Dataset) -> SearchedBanks:
    """The key and the size of each bank.

    Args:
        recipe: searches settings of its backbone.
        dataset: of the recipe.

    Raises:
        TunerError: weights of one of the choices are missing; the choice is named.
    """
    points = [_named(at, _point, recipe, recipe.at(at).backbone, dataset, at) for at in backbone_points(recipe)]
    numbers = (len(dataset), int(dataset.is_train.sum()), len(dataset.class_names))
    return SearchedBanks(tuple(points), *numbers, recipe.data.split_seed)


def _point(recipe: Recipe, backbone: BackboneSettings, dataset: Dataset, at: dict[str, Any]) -> BankPoint:
    from tuner.features.extract import BankSource

    source = BankSource(recipe.data, backbone, dataset)
    rows, columns = source.network.grid
    return BankPoint(at, source.key, (int(rows), int(columns)), int(source.network.dim))


def _named(at: dict[str, Any], do: Any, *arguments: Any) -> Any:
    """Do something for one combination of choices, which its error names."""
    try:
        return do(*arguments)
    except TunerError as error:
        if not at:
            raise
        told = ", ".join(f"{name}={value}" for name, value in at.items())
        kind = UsageError if isinstance(error, UsageError) else TunerError
        raise kind(f"{error.what}, for {told} in the space", error.expected, error.todo) from error
