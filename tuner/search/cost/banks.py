"""What the feature banks of a search over backbones are, and how large, for a plan of a run."""

from collections.abc import Collection

from tuner.recipe import Recipe
from tuner.search.record.searched_banks import SearchedBanks


def told_banks(recipe: Recipe, banks: SearchedBanks, made: Collection[str]) -> list[tuple[str, str]]:
    """A heading and a line for each bank: its settings, its size, and whether it is still to be made.

    Args:
        recipe: of the search.
        banks: of the search.
        made: keys of those that the store has.
    """
    rows = [("banks", "each is made once, by the first trial that needs it")]
    for key in banks.keys:
        points = [point for point in banks.points if point.key == key]
        size = _size(points[0].bytes_of(banks.n_images, recipe))
        found = "in the store" if key in made else "to be made"
        rows.append(("", f"{'; '.join(point.told() for point in points)}: {size}, {found}"))
    return rows


def _size(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:,.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:,.1f} MB"
