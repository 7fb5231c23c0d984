"""Settles the feature banks of a search over backbones before anything is computed: their keys and their sizes.

No image is opened and no network loaded. Weights that one of many choices lacks are so found before the first trial.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tuner.data.dataset import Dataset
from tuner.errors import TunerError, UsageError
from tuner.features.registry import require_frozen
from tuner.recipe import Recipe
from tuner.recipe.backbones import backbone_points
from tuner.search.record.searched_banks import BankPoint, SearchedBanks

if TYPE_CHECKING:
    from tuner.features.extract import BankSource


def require_frozen_everywhere(recipe: Recipe) -> None:
    """Refuse backbones whose tokens are no features, among all that a trial may have.

    Raises:
        UsageError: naming the first of them.
    """
    for at in backbone_points(recipe):
        require_frozen(recipe.at(at).backbone, "space.backbone.name" if "backbone.name" in at else "backbone.name")


def bank_sources(
    recipe: Recipe, dataset: Dataset, made: "Callable[[Recipe, Dataset], BankSource] | None" = None
) -> list["BankSource"]:
    """What the bank of each backbone that a trial may have is made of; one where none is searched.

    Args:
        recipe: of the search.
        dataset: of the recipe.
        made: makes one of them, of a recipe with the settings of this backbone; None: in this process.

    Raises:
        TunerError: weights of one of them are missing, or its settings do not fit together; the choice is named.
    """
    return [_named(at, _source, recipe.at(at), dataset, made) for at in backbone_points(recipe)]


def settle_banks(recipe: Recipe, sources: Sequence["BankSource"]) -> SearchedBanks:
    """The key and the size of each bank.

    Args:
        recipe: searches settings of its backbone.
        sources: `bank_sources` of it.

    Raises:
        TunerError: weights of one of the choices are missing; the choice is named.
    """
    points = [_named(at, _point, source, at) for at, source in zip(backbone_points(recipe), sources, strict=True)]
    dataset = sources[0].dataset
    numbers = (len(dataset), int(dataset.is_train.sum()), len(dataset.class_names))
    return SearchedBanks(tuple(points), *numbers, recipe.data.split_seed)


def _source(recipe: Recipe, dataset: Dataset, made: "Callable[[Recipe, Dataset], BankSource] | None") -> "BankSource":
    from tuner.features.extract import BankSource

    source = BankSource(recipe.data, recipe.backbone, dataset) if made is None else made(recipe, dataset)
    source.network  # noqa: B018  refused here if it cannot be made
    return source


def _point(source: "BankSource", at: dict[str, Any]) -> BankPoint:
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
