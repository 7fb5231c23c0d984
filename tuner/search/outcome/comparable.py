"""Whether the values of two searches are of the same images, and in which settings the searches differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuner.front import words
from tuner.recipe import Recipe, caution, difference
from tuner.recipe.backbones import backbone_points
from tuner.search.record.home import SearchHome
from tuner.search.record.searched_banks import Bank, bank_key
from tuner.search.record.state import SearchState

SPLIT = ("data.split_seed", "protocol", "validation_fraction")
SAID_ELSEWHERE = ("title", "objectives")  # with the searches themselves


@dataclass(frozen=True)
class Comparable:
    """What two searches, or two trials of them, have in common.

    Attributes:
        same_images: whether their values are measured on the same images.
        cautions: sentences on what makes their values differ beyond what was searched.
        settings: other settings that differ, `field: first -> second`.
    """

    same_images: bool
    cautions: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As JSON documents hold it."""
        return {"same_images": self.same_images, "cautions": list(self.cautions), "settings": list(self.settings)}


def comparable(homes: tuple[SearchHome, SearchHome], states: tuple[SearchState, SearchState]) -> Comparable:
    """Compare the recipes that two searches were started with, and their feature banks.

    Args:
        homes: the searches; twice the same one for two trials of it.
        states: of them.

    Raises:
        TunerError: a recipe is damaged.
    """
    one, two = homes
    (first, first_bank), (second, second_bank) = one.stored(), two.stored()
    lines = difference(_told(first), _told(second))
    split = [line for line in lines if line.partition(":")[0] in SPLIT]
    data = [line for line in lines if line.startswith("data.") and line not in split]
    backbone = [line for line in lines if line.startswith("backbone.")]
    cautions = []
    if data:
        cautions.append(f"the data differ ({'; '.join(data)}): the values are of different images")
    if split:
        cautions.append(f"the splits differ ({'; '.join(split)}): the values are of different images")
    if backbone:
        cautions.append(f"the backbones differ ({'; '.join(backbone)})")
    same_banks = not _differ(_banks(first, first_bank), _banks(second, second_bank))
    if not same_banks and not data and not backbone:
        cautions.append(
            "the feature banks differ though their settings are equal: images, weights or code have changed"
        )
    limits = [line for line in lines if line.partition(":")[0] == "constraints"]
    if limits:
        told = words.listing([", ".join(recipe.constraints) or "none" for recipe in (first, second)])
        cautions.append(f"the constraints differ ({told}): each front is that of the trials within its own")
    for home, other in ((one, two), (two, one)):
        if not home.is_of_this_code() and other.is_of_this_code():
            cautions.append(f"the stages of {home.name} gave other results in the version that ran it")
    for home, recipe, state in zip(homes, (first, second), states, strict=True):
        if on_test := caution(recipe, state.budget, len(state.trials)):
            cautions.append(f"{home.name}: {on_test}")
    same = not data and not split and (same_banks or bool(backbone))
    rest = [line for line in lines if line not in (*split, *data, *backbone, *limits)]
    return Comparable(same, tuple(dict.fromkeys(cautions)), tuple(rest))


def _banks(recipe: Recipe, bank: Bank) -> dict[str, str]:
    """The key of each feature bank of a search, by the settings of its backbone."""
    return {repr(at.backbone): bank_key(bank, at) for at in map(recipe.at, backbone_points(recipe))}


def _differ(one: Mapping[str, str], two: Mapping[str, str]) -> bool:
    """Whether two searches have different banks of the same settings."""
    return any(two.get(settings, key) != key for settings, key in one.items())


def _told(recipe: Recipe) -> dict[str, Any]:
    return {name: value for name, value in recipe.to_dict().items() if name not in SAID_ELSEWHERE}
