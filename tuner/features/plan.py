"""Divides the making of a bank into pieces, and gives each its key."""

import hashlib
from collections.abc import Sequence

import numpy as np

from tuner.data.dataset import Dataset, FilePictures
from tuner.features.described import BackboneFacts
from tuner.features.pieces import Piece, piece_key

FORMAT = 2  # raise it when the same inputs give other arrays; 2: images upright and by mode, masks by one reading
SHARD_FORMAT = 1
SHARD_BYTES = 64_000_000  # of tokens
SHARD_IMAGES = 1024  # at most, so that a small backbone's work can be shared, too


def shard_images(facts: BackboneFacts) -> int:
    """Images of a shard; it follows from the size of their tokens alone, so it is the same on every machine."""
    per_image = 2 * facts.dim * (facts.grid[0] * facts.grid[1] + facts.has_cls)
    return max(1, min(SHARD_IMAGES, SHARD_BYTES // per_image))


class Plan:
    """The pieces of a bank.

    Args:
        dataset: its images.
        facts: about the backbone.
        geometry: which part of an image enters the backbone.
        digests: of all images and masks.
    """

    def __init__(self, dataset: Dataset, facts: BackboneFacts, geometry: str, digests: Sequence[Sequence[str]]) -> None:
        self.dataset, self.facts, self.geometry, self.digests = dataset, facts, geometry, digests

    def mask_facts(self) -> list[Piece]:
        """Looking at all masks, whose values have one meaning; none where the data set knows it already."""
        if not isinstance(self.dataset.pictures, FilePictures):
            return []
        return [
            self._piece("mask_facts", index, masks=[self.digests[int(i)][1] for i in index])
            for index in _runs(np.flatnonzero(self.dataset.has_mask), SHARD_IMAGES)
        ]

    def fit(self) -> Piece | None:
        """Fitting the backbone on the training images; None for a pre-trained one."""
        if not self.facts.needs_fit:
            return None
        index = np.flatnonzero(self.dataset.is_train)
        images = [self.digests[int(i)][0] for i in index]
        return self._piece("fits", index, backbone=self.facts.material, geometry=self.geometry, images=images)

    def shards(self, size: int, fit: str = "", fitted: str = "", levels: np.ndarray | None = None) -> list[Piece]:
        """The tokens, in the order of the images.

        Args:
            size: images of a shard.
            fit: key of what the backbone has learned; empty: nothing.
            fitted: SHA-256 of that.
            levels: what the values of masks mean (`Reading.levels`); None where there are no mask files.
        """
        meaning = "" if levels is None else hashlib.sha256(levels.tobytes()).hexdigest()
        dataset, made = self.dataset, []
        for index in _runs(np.arange(len(dataset)), size):
            parts = None if dataset.parts is None else dataset.parts[index]
            made.append(
                self._piece(
                    "shards",
                    index,
                    parts=parts,
                    fit=fit,
                    reading=FORMAT,
                    backbone=self.facts.material,
                    fitted=fitted,
                    geometry=self.geometry,
                    images=[list(self.digests[int(i)]) for i in index],
                    masks=meaning if dataset.has_mask[index].any() else "",
                    parts_digest="" if parts is None else hashlib.sha256(parts.tobytes()).hexdigest(),
                )
            )
        return made

    def look(self, index: np.ndarray) -> Piece:
        """Looking at some images and their masks, to name all that are broken; nothing of it is kept."""
        return self._piece("look", index)

    def _piece(
        self, kind: str, index: np.ndarray, *, parts: np.ndarray | None = None, fit: str = "", **material: object
    ) -> Piece:
        dataset = self.dataset
        key = piece_key(kind=kind, format=SHARD_FORMAT, **material)
        paths = tuple(dataset.paths[i] for i in index)
        pictures, has_mask = dataset.pictures.part(index), dataset.has_mask[index]
        return Piece(kind, key, paths, pictures, has_mask, parts, fit, self.geometry)


def _runs(index: np.ndarray, size: int) -> list[np.ndarray]:
    return [index[start : start + size] for start in range(0, len(index), size)]
