"""Builds a bank from its pieces: masks, fit, shards; who does the pieces, and where they are kept, is the caller's."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from tuner.base.hashing import sha256_file
from tuner.base.untrusted import is_whole, require, shown
from tuner.data.dataset import Dataset, FilePictures
from tuner.data.load import ImageCounts, check_labels, image_notes, refuse_faulty
from tuner.data.masks import MaskFacts, mask_notes
from tuner.errors import TunerError, UsageError
from tuner.features.bank_files import DESCRIPTION, FITTED, write_json
from tuner.features.described import BackboneFacts
from tuner.features.licences import licence_note
from tuner.features.mask_facts import read_mask_facts
from tuner.features.pieces import Done, Piece
from tuner.features.plan import FORMAT, Plan, shard_images
from tuner.features.shelf import Shelf

Step = Literal["mask_facts", "fits", "shards", "look"]
WORDS: dict[Step, str] = {
    "mask_facts": "reading masks",
    "fits": "fitting the backbone",
    "shards": "extracting features",
    "look": "looking for broken images",
}


class Team(Protocol):
    """Those who do pieces: this process, or the workers of a cluster."""

    def do(self, step: Step, pieces: Sequence[Piece], done: int, total: int) -> Iterator[Done]:
        """Do pieces of one kind; those that are on the shelf already are not done again.

        Args:
            step: which kind.
            pieces: to do, in any order.
            done: images of this step that were done earlier, for the progress.
            total: images of this step in all.
        """
        ...


class Builder:
    """One bank being built.

    Args:
        dataset: its images.
        facts: about its backbone.
        geometry: which part of an image enters the backbone.
        key: of the bank.
        shelf: where pieces are kept.
        team: who does them.
        note: called with each sentence that people should know of the data.
    """

    def __init__(
        self,
        dataset: Dataset,
        facts: BackboneFacts,
        geometry: str,
        key: str,
        shelf: Shelf,
        team: Team,
        note: Callable[[str], None],
    ) -> None:
        self.dataset, self.facts, self.key = dataset, facts, key
        self.plan = Plan(dataset, facts, geometry, dataset.pictures.digests())
        self.shelf, self.team, self._note = shelf, team, note
        self.notes: list[str] = []

    def build(self, folder: Path) -> list[Piece]:
        """Make what is missing, and write the bank's own files into the folder; returns its shards.

        Raises:
            TunerError: images are broken, weights are missing, or the disk is full; what was made is kept.
            UsageError: the same image has two labels.
        """
        self._check_labels()
        self._tell([*self.dataset.notes, *filter(None, [licence_note(self.facts.licence)])])
        levels = self._read_masks()
        fit, fitted = self._fit(folder)
        shards = self.plan.shards(shard_images(self.facts), fit, fitted, levels)
        metas = self._make("shards", shards)
        self._tell(image_notes(_counted(metas, self.shelf), bool(self.dataset.has_mask.any())))
        self._describe(folder, shards)
        return shards

    def _check_labels(self) -> None:
        """Refuse one image under two labels; broken files are named first, since empty ones are equal."""
        try:
            check_labels(self.dataset)
        except UsageError:
            if isinstance(self.dataset.pictures, FilePictures):
                refuse_faulty(self._look(), self.dataset)
            raise

    def _tell(self, notes: Sequence[str]) -> None:
        self.notes += notes
        for sentence in notes:
            self._note(sentence)

    def _read_masks(self) -> np.ndarray | None:
        """Decide what the values of masks mean, from all of them: (256,) uint8; None where there are no mask files."""
        pieces, dataset = self.plan.mask_facts(), self.dataset
        if not pieces:
            return None
        self._make("mask_facts", pieces)
        facts: list[MaskFacts] = []
        for piece in pieces:
            facts += read_mask_facts(self.shelf.fetch(piece.kind, piece.key), len(piece))
        assert isinstance(dataset.pictures, FilePictures)
        reading = dataset.pictures.reading(np.stack([fact.counts for fact in facts]))
        masked = [path for piece in pieces for path in piece.paths]
        self._tell(mask_notes(reading, facts, masked, len(dataset)))
        return reading.levels

    def _fit(self, folder: Path) -> tuple[str, str]:
        """Key and SHA-256 of what the backbone has learned, copied into the folder; empty: it learns nothing."""
        if (piece := self.plan.fit()) is None:
            return "", ""
        self._make("fits", [piece])
        shutil.copyfile(self.shelf.fetch(piece.kind, piece.key) / FITTED, folder / FITTED)
        return piece.key, sha256_file(folder / FITTED)

    def _make(self, step: Step, pieces: Sequence[Piece]) -> list[object]:
        """Have pieces made that are not on the shelf; returns what the shelf has of each.

        Raises:
            TunerError: images are broken; all of them are counted, and the first ones named.
        """
        found = _find(self.shelf, pieces)
        missing = [piece for piece, one in zip(pieces, found, strict=True) if one is None]
        if missing:
            total = sum(map(len, pieces))
            done = list(self.team.do(step, missing, total - sum(map(len, missing)), total))
            faults = [fault for one in done for fault in one.faults]
            if faults and step != "shards":  # masks, or training images alone: look at all images
                faults = self._look() or faults
            refuse_faulty(faults, self.dataset)
            found = _find(self.shelf, pieces)
        for piece, one in zip(pieces, found, strict=True):
            if one is None:
                raise TunerError(
                    f"{piece.kind}/{piece.key} was made and is gone",
                    "a store that keeps what is written",
                    "start again; if it happens again, check who else removes files there",
                )
        return found

    def _look(self) -> list[TunerError]:
        """Everything that is wrong with images and masks."""
        index = np.arange(len(self.dataset))
        pieces = [self.plan.look(part) for part in np.array_split(index, -(-len(index) // 1024))]
        return [fault for one in self.team.do("look", pieces, 0, len(index)) for fault in one.faults]

    def _describe(self, folder: Path, shards: Sequence[Piece]) -> None:
        """Write the small arrays and bank.json."""
        import PIL

        dataset = self.dataset
        arrays = {
            "labels": dataset.labels,
            "is_train": dataset.is_train,
            "has_mask": dataset.has_mask,
            "content": dataset.together,
            "class_attributes": dataset.class_attributes,
            "image_attributes": dataset.image_attributes,
        }
        for name, values in arrays.items():
            if values is not None:
                np.save(folder / f"{name}.npy", values, allow_pickle=False)
        description = {
            "key": self.key,
            "format": FORMAT,
            "notes": self.notes,
            "grid": self.facts.grid,
            "class_names": dataset.class_names,
            "paths": dataset.paths,
            "backbone": self.facts.material,
            "backbone_licence": self.facts.licence,
            "made_with": {**self.facts.versions, "numpy": np.__version__, "pillow": PIL.__version__},
            "shards": [[piece.key, len(piece)] for piece in shards],
        }
        write_json(folder / DESCRIPTION, description)


def _find(shelf: Shelf, pieces: Sequence[Piece]) -> list[object | None]:
    """What the shelf has of each piece; many requests at a time."""
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda piece: shelf.find(piece.kind, piece.key), pieces))


def _counted(found: Sequence[object], shelf: Shelf) -> ImageCounts:
    """What is unusual in the images of all shards.

    Raises:
        MalformedError: a shard says something odd of itself.
    """
    total = ImageCounts()
    for one in found:
        counts = getattr(one, "meta", {}).get("counts")
        names = {entry.name for entry in fields(ImageCounts)}
        counts = counts if isinstance(counts, dict) else {}
        sound = counts.keys() == names and all(is_whole(n, 0, 2**60) for n in counts.values())
        require(sound, shelf, f"a shard says {shown(counts)} of its images", "how many there are of each kind")
        total += ImageCounts(**counts)
    return total
