"""Settles the feature banks of a search over backbones before anything is computed: their keys and their sizes.

No image is opened and no network loaded. Weights that one of many choices lacks are so found before the first trial.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tuner.errors import TunerError, UsageError
from tuner.features.kept import require_patches
from tuner.features.registry import require_frozen
from tuner.recipe import Recipe
from tuner.recipe.backbones import backbone_points
from tuner.search.record.searched_banks import BankPoint, SearchedBanks

if TYPE_CHECKING:
    from tuner.data.dataset import Dataset
    from tuner.features.extract import BankSource


def require_usable_backbones(recipe: Recipe) -> None:
    """Refuse backbones whose tokens are no features, or are not kept, among all that a trial may have.

    Raises:
        UsageError: naming the first of them.
    """
    for at in backbone_points(recipe):
        backbone = recipe.at(at).backbone
        require_frozen(backbone, "space.backbone.name" if "backbone.name" in at else "backbone.name")
        require_patches(backbone)


def bank_sources(
    recipe: Recipe, dataset: "Dataset", make: "Callable[[Recipe, Dataset], BankSource] | None" = None
) -> "list[BankSource]":
    """What the bank of each backbone that a trial may have is made of; one where none is searched.

    Args:
        recipe: of the search.
        dataset: of the recipe.
        make: makes one of them, of a recipe with the settings of this backbone; None: in this process.

    Raises:
        TunerError: weights of one of them are missing, or its settings do not fit together; the choice is named.
    """
    return [_named(at, _source, recipe.at(at), dataset, make) for at in backbone_points(recipe)]


def _source(recipe: Recipe, dataset: "Dataset", make: "Callable[[Recipe, Dataset], BankSource] | None") -> "BankSource":
    from tuner.features.extract import BankSource

    source = BankSource(recipe.data, recipe.backbone, dataset) if make is None else make(recipe, dataset)
    return source.described()


def settle_banks(recipe: Recipe, sources: "Sequence[BankSource]") -> SearchedBanks:
    """The key and the size of each bank.

    Args:
        recipe: searches settings of its backbone.
        sources: of each combination.
    """
    points = [
        BankPoint(at, source.key, source.facts.grid, source.facts.dim)
        for at, source in zip(backbone_points(recipe), sources, strict=True)
    ]
    dataset = sources[0].dataset
    numbers = (len(dataset), int(dataset.is_train.sum()), len(dataset.class_names))
    return SearchedBanks(tuple(points), *numbers, recipe.data.split_seed)


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
