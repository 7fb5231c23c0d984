"""How large the work of a search is, before anything has been timed: images, tokens, machine."""

import os
from dataclasses import dataclass, replace

from tuner.base.gpus import gpus_here
from tuner.recipe import Recipe
from tuner.search.record.searched_banks import Bank, SearchedBanks
from tuner.store import Artifacts

TRAIN_SHARE = 0.6
"""Training images among all, where a bank does not say: half of them in CUB-200-2011, 80 % in scikit-learn's digits."""


@dataclass(frozen=True)
class Sizes:
    """What the time of a stage depends on besides its settings.

    Attributes:
        n_train: images that a trial trains on.
        n_images: images of the bank.
        tokens: of an image.
        dim: width of a token.
        n_classes: classes.
    """

    n_train: int
    n_images: int
    tokens: int
    dim: int
    n_classes: int


@dataclass(frozen=True)
class Machine:
    """What stages run on.

    Attributes:
        cpus: cores; infinite where a cluster may grow.
        gpus: GPUs.
    """

    cpus: float
    gpus: float = 0.0

    @classmethod
    def here(cls) -> "Machine":
        """This machine, without asking Ray or torch, either of which takes seconds."""
        return cls(
            float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1),
            gpus_here(),
        )


def sizes_of_bank(artifacts: Artifacts, bank: Bank, recipe: Recipe) -> Sizes | None:
    """The sizes of a bank in the store, by its manifest alone; None if there is no such bank.

    Of a search over backbones, those of its first bank, which need not be there yet.

    Raises:
        CorruptArtifactError: the manifest is damaged.
    """
    if isinstance(bank, SearchedBanks):
        n_train = trained_on(bank.n_train, recipe)
        return sizes_at(bank, Sizes(n_train, bank.n_images, 1, 1, bank.n_classes), bank.keys[0])
    manifest = artifacts.find("banks", bank)
    if manifest is None:
        return None
    n_images, n_classes = manifest.told("n_images", int), manifest.told("n_classes", int)
    grid, dim = manifest.meta.get("grid"), manifest.told("dim", int)
    sides = grid if isinstance(grid, list) and len(grid) == 2 and all(type(n) is int for n in grid) else [1, 1]
    return Sizes(trained_on(round(TRAIN_SHARE * n_images), recipe), n_images, sides[0] * sides[1], dim, n_classes)


def sizes_at(bank: Bank, sizes: Sizes, key: str) -> Sizes:
    """The sizes of one of the banks of a search, from those of any of them."""
    point = None if isinstance(bank, str) else bank.of_key(key)
    return sizes if point is None else replace(sizes, tokens=point.grid[0] * point.grid[1], dim=point.dim)


def trained_on(n_train: int, recipe: Recipe) -> int:
    """The images that a trial trains on, of the training images of the data."""
    return n_train if recipe.protocol == "paper" else max(1, round(n_train * (1.0 - recipe.validation_fraction)))
