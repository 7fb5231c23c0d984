"""Makes a feature bank: passes each image once through the frozen backbone; resumable after a crash.

`BankSource` says what a bank is made of. Here it is made in a folder, by this process alone; `tuner.search` has it
made in a store, by the workers of a Ray cluster. Both do the same pieces (`pieces`), so the bank is the same.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tuner.base.locks import take
from tuner.data.dataset import Dataset
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.data.words import some
from tuner.errors import TunerError, UsageError
from tuner.features.bank_files import FILES, MANIFEST, seal
from tuner.features.building import WORDS, Builder, Step, Team
from tuner.features.described import BackboneFacts
from tuner.features.pieces import DRAFT, Done, Extractor, Piece, on_disk, piece_key
from tuner.features.plan import FORMAT
from tuner.features.registry import make_backbone
from tuner.features.resize import resolved
from tuner.features.settings import BackboneSettings
from tuner.features.shelf import FOLDERS, FolderShelf, Shelf

if TYPE_CHECKING:
    from tuner.features.backbone import Backbone
    from tuner.features.bank import FeatureBank

JOURNAL = "journal.json"  # of versions before shards

Progress = Callable[[int, int], None]
Note = Callable[[str], None]


class BankSource:
    """The images and the backbone of a feature bank; each is loaded once, for the key and for the extraction.

    Args:
        data: the recipe's data settings.
        backbone: the recipe's backbone settings.
        dataset: the data set of these settings, where it has been loaded already.
        facts: about the backbone, where they are known already: this process then needs neither torch nor weights.

    Raises:
        TunerError: by any property or method: the data set or the weights are missing.
        UsageError: likewise: the settings do not fit together.
    """

    def __init__(
        self,
        data: DataConfig,
        backbone: BackboneSettings,
        dataset: Dataset | None = None,
        facts: BackboneFacts | None = None,
    ) -> None:
        self.data, self.backbone = data, backbone
        self._dataset, self._facts = dataset, facts

    @cached_property
    def dataset(self) -> Dataset:
        """The images' paths, labels, split and masks."""
        return load_dataset(self.data) if self._dataset is None else self._dataset

    @cached_property
    def network(self) -> "Backbone":
        """The backbone, its weights not loaded yet."""
        return make_backbone(self.backbone, self.data.name)

    @cached_property
    def facts(self) -> BackboneFacts:
        """What is to be known of the backbone."""
        return BackboneFacts.of(self.network) if self._facts is None else self._facts

    def described(self) -> "BankSource":
        """Itself, once the facts about the backbone are found: one that cannot be made is refused here, and not later.

        Raises:
            TunerError: its weights are missing.
            UsageError: its settings do not fit together.
        """
        self._facts = self.facts
        return self

    @cached_property
    def key(self) -> str:
        """Hash of everything that makes a bank: pixels and masks by content, labels, split, backbone, weights, code.

        Opens no image and loads no network; contents already hashed are remembered (see `fingerprint`).
        """
        return _key(self.dataset, self.facts, self.geometry)

    @cached_property
    def geometry(self) -> str:
        """Which part of an image enters the backbone, with what its weights say of resizing."""
        return resolved(self.backbone.geometry, self.facts.material)

    def extract(
        self,
        folder: Path,
        *,
        device: str = "auto",
        progress: Progress | None = None,
        note: Note | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> "FeatureBank":
        """The bank in `folder`; missing parts are computed, and a corrupt bank is rebuilt.

        A second process that asks for the same folder waits for the first.

        Args:
            folder: a local folder of its own.
            device: `cpu`, `cuda`, `cuda:1` or `auto`.
            progress: called with (images done, images) after each batch.
            note: called with each sentence that people should know of the data.
            say: called with what comes before the first batch, in a few words.

        Raises:
            TunerError: data or weights are missing or broken, or the folder cannot be written.
            UsageError: settings do not fit together, or the folder holds another bank.
        """
        from tuner.features.bank import load_bank

        key = self.key
        with on_disk(folder), _alone(folder):
            if (bank := _finished(folder, key)) is not None:
                return bank
            _begin(folder)
            shelf, worker = FolderShelf(folder), Extractor(self.backbone, self.data.name, folder, device)
            self.build(folder, shelf, Alone(worker, shelf, progress, say), note)
            for kind in FOLDERS[1:]:  # what they held is in the bank's own files now
                shutil.rmtree(folder / kind, ignore_errors=True)
            seal(folder)
            return load_bank(folder)

    def build(self, folder: Path, shelf: Shelf, team: Team, note: Note | None = None) -> list[Piece]:
        """Have the pieces made that the shelf lacks, and write the bank's own files; returns its shards.

        Args:
            folder: for the files.
            shelf: where the pieces are kept.
            team: who makes them.
            note: called with each sentence that people should know of the data.

        Raises:
            TunerError: data or weights are missing or broken, or a disk is full.
        """
        told = note or (lambda _: None)
        return Builder(self.dataset, self.facts, self.geometry, self.key, shelf, team, told).build(folder)


class Alone:
    """This process, which does all pieces.

    Args:
        worker: of this process.
        shelf: where pieces are kept.
        progress: called with (images done, images) after each batch of tokens.
        say: called with each other step, in a few words.
    """

    def __init__(self, worker: Extractor, shelf: Shelf, progress: Progress | None, say: Callable[[str], None]) -> None:
        self.worker, self.shelf, self.progress, self.say = worker, shelf, progress, say

    def do(self, step: Step, pieces: Sequence[Piece], done: int, total: int) -> Iterator[Done]:
        """See `Team`."""
        from tuner.features.steps import STEPS

        self.say(WORDS[step])

        def tell(images: int) -> None:
            nonlocal done
            done += images
            if self.progress is not None and step == "shards":
                self.progress(done, total)

        yield from STEPS[step](pieces, self.shelf, self.worker, tell)


def bank_key(data: DataConfig, backbone: BackboneSettings) -> str:
    """The key of the bank of these settings: see `BankSource.key`."""
    return BankSource(data, backbone).key


def extract_bank(
    data: DataConfig,
    backbone: BackboneSettings,
    folder: Path,
    *,
    device: str = "auto",
    progress: Progress | None = None,
    note: Note | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> "FeatureBank":
    """The bank of these settings in `folder`: see `BankSource.extract`."""
    return BankSource(data, backbone).extract(folder, device=device, progress=progress, note=note, say=say)


def _key(dataset: Dataset, facts: BackboneFacts, geometry: str) -> str:
    attributes = [dataset.class_attributes, dataset.image_attributes]
    material = {
        "format": FORMAT,
        "paths": dataset.paths,
        "digests": dataset.pictures.digests(),
        "labels": dataset.labels.tolist(),
        "is_train": dataset.is_train.tolist(),
        "class_names": dataset.class_names,
        "attributes": [None if a is None else hashlib.sha256(a.tobytes()).hexdigest() for a in attributes],
        "backbone": facts.material,
    }
    if geometry != "squash":  # the only one there was at first: its keys do not name it
        material["geometry"] = geometry
    if dataset.groups is not None:
        material["groups"] = dataset.groups.tolist()
    return piece_key(**material)


def _finished(folder: Path, key: str) -> "FeatureBank | None":
    """The bank in the folder if it is whole and the one asked for."""
    from tuner.features.bank import load_bank

    if not (folder / MANIFEST).exists():
        return None
    try:
        bank = load_bank(folder)
    except TunerError:  # corrupt: rebuilt
        return None
    if bank.key != key:
        raise UsageError(
            f"{folder} holds the feature bank {bank.key}, not {key}",
            "an empty folder, or the bank of the same settings and images",
            "choose another folder, or remove this one",
        )
    return bank


def _begin(folder: Path) -> None:
    """Prepare the folder: whole shards stay, unless the bank they belong to is corrupt.

    Raises:
        UsageError: it holds other things.
    """
    ours = {JOURNAL, *FILES, MANIFEST, *FOLDERS}
    is_other = [entry for entry in folder.iterdir() if entry.name not in ours and not entry.name.startswith(".")]
    if others := sorted(entry.name for entry in is_other):
        raise UsageError(
            f"{folder} holds other things than a feature bank: {some(others)}",
            "an empty folder, or one with a bank or a part of one",
            "choose another folder; nothing in this one was changed",
        )
    if (folder / MANIFEST).exists():  # some shard may be what is corrupt
        for kind in FOLDERS:
            shutil.rmtree(folder / kind, ignore_errors=True)
    for name in (JOURNAL, *FILES, MANIFEST):
        (folder / name).unlink(missing_ok=True)
    for draft in folder.glob(f"{DRAFT}*"):
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Holds the folder for this process until the end of the block, or until it dies."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        take(handle, folder)
        yield
    finally:
        os.close(handle)
