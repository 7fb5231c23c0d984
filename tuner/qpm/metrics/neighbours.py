"""Neighbour consistency: do neighbouring patches have like features
(docs/explanation/method.md#neighbour-consistency)?"""

from typing import TYPE_CHECKING

from tuner.base.metric import PLACES
from tuner.qpm.metrics.kinds import ImageBatch, ImageMetric

if TYPE_CHECKING:
    from torch import Tensor

SIDES = ((0, 1), (1, 0))  # steps to right and below: each pair of neighbours once
CORNERS = ((1, 1), (1, -1))


def neighbour_consistency(maps: "Tensor", grid: tuple[int, int], steps: tuple[tuple[int, int], ...]) -> "Tensor":
    """Mean cosine of the features of neighbouring patches, (n,); NaN where no two neighbours have features.

    Args:
        maps: (n, n_patches, width).
        grid: patches per column and per row.
        steps: rows and columns from a patch to its neighbours, one of each two opposite directions.
    """
    import torch
    import torch.nn.functional as F

    length = maps.norm(dim=2).view(-1, *grid)
    unit = F.normalize(maps, dim=2).view(-1, *grid, maps.shape[2])
    total, pairs = maps.new_zeros(len(maps)), maps.new_zeros(len(maps))
    for down, right in steps:
        here = (slice(None), slice(0, grid[0] - down), slice(max(0, -right), grid[1] - max(0, right)))
        there = (slice(None), slice(down, grid[0]), slice(max(0, right), grid[1] - max(0, -right)))
        both = (length[here] > 0) & (length[there] > 0)
        total += (torch.linalg.vecdot(unit[here], unit[there]) * both).sum((1, 2))
        pairs += both.sum((1, 2))
    return total / pairs


def _row(name: str, n: int, steps: tuple[tuple[int, int], ...]) -> ImageMetric:
    def measured(images: ImageBatch) -> "Tensor":
        return neighbour_consistency(images.maps, images.grid, steps)

    return ImageMetric(
        name=name,
        heading=name,
        help=f"likeness of the features of a patch and of its {n} neighbours",
        low=-100.0,
        needs=(PLACES,),
        no_goal="smooth maps are no better than sharp ones",
        formula=f"mean over patches and their {n} neighbours of the cosine of M[:, p] and M[:, q]",
        source="docs/explanation/method.md#neighbour-consistency",
        function=measured,
    )


METRICS = (_row("neighbours4", 4, SIDES), _row("neighbours8", 8, SIDES + CORNERS))
