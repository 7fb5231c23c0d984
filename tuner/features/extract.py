"""Fills a feature bank: passes each image once through the frozen backbone; resumable after a crash.

Arrays are memory-mapped files of their final size. A journal says how many images are done; the manifest, written
last, turns the folder into a bank.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

import numpy as np
import PIL
import safetensors.torch
import torch

from tuner.base.locks import take
from tuner.base.untrusted import MalformedError, is_whole, read_json
from tuner.data.dataset import Dataset
from tuner.data.load import check_images, check_labels, load_dataset
from tuner.data.settings import DataConfig
from tuner.data.words import some
from tuner.errors import TunerError, UsageError
from tuner.features.arrays import read_array
from tuner.features.backbone import Backbone, licence_of, load_fitted
from tuner.features.bank import (
    DESCRIPTION,
    FILES,
    FITTED,
    MANIFEST,
    FeatureBank,
    load_bank,
    seal,
    write_json,
    write_whole,
)
from tuner.features.device import choose_device
from tuner.features.forward import forward, half_tokens
from tuner.features.geometry import resolved
from tuner.features.licences import licence_note
from tuner.features.loading import Batch, batches
from tuner.features.registry import make_backbone
from tuner.features.settings import BackboneSettings

FORMAT = 2  # raise it when the same inputs give other arrays; 2: images upright and by mode, masks by one reading
JOURNAL = "journal.json"
JOURNAL_IMAGES = 256
JOURNAL_S = 10.0
GPU_BATCH = 256

Progress = Callable[[int, int], None]
Note = Callable[[str], None]
Load = Callable[[np.ndarray], Generator[Batch]]  # positions in the data set to their images, decoded ahead
ArraySpec = tuple[tuple[int, ...], type[np.generic]]


class BankSource:
    """The images and the backbone of a feature bank; each is loaded once, for the key and for the extraction.

    Args:
        data: the recipe's data settings.
        backbone: the recipe's backbone settings.
        dataset: the data set of these settings, where it has been loaded already.

    Raises:
        TunerError: by any property or method: the data set or the weights are missing.
        UsageError: likewise: the settings do not fit together.
    """

    def __init__(self, data: DataConfig, backbone: BackboneSettings, dataset: Dataset | None = None) -> None:
        self.data, self.backbone = data, backbone
        self._dataset = dataset

    @cached_property
    def dataset(self) -> Dataset:
        """The images' paths, labels, split and masks."""
        return load_dataset(self.data) if self._dataset is None else self._dataset

    @cached_property
    def network(self) -> Backbone:
        """The backbone, its weights not loaded yet."""
        return make_backbone(self.backbone, self.data.name)

    @cached_property
    def key(self) -> str:
        """Hash of everything that makes a bank: pixels and masks by content, labels, split, backbone, weights, code.

        Opens no image and loads no network; contents already hashed are remembered (see `fingerprint`).
        """
        return _key(self.dataset, self.network, self.geometry)

    @cached_property
    def geometry(self) -> str:
        """Which part of an image enters the backbone, with what its weights say of resizing."""
        return resolved(self.backbone.geometry, self.network.key_material())

    def extract(
        self,
        folder: Path,
        *,
        device: str = "auto",
        progress: Progress | None = None,
        note: Note | None = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> FeatureBank:
        """The bank in `folder`; missing parts are computed, and a corrupt bank is rebuilt.

        A second process that asks for the same folder waits for the first.

        Args:
            folder: a local folder of its own.
            device: `cpu`, `cuda`, `cuda:1` or `auto`.
            progress: called with (images done, images) after each batch.
            note: called with each sentence that people should know of the data, before anything is computed.
            say: called with what comes before the first batch, in a few words.

        Raises:
            TunerError: data or weights are missing or broken, or the folder cannot be written.
            UsageError: settings do not fit together, or the folder holds another bank.
        """
        dataset, network, key = self.dataset, self.network, self.key
        with _disk(folder), _alone(folder):
            if (bank := _finished(folder, key)) is not None:
                return bank
            say(f"looking at {len(dataset):,} images")
            notes = [*dataset.notes, *check_images(dataset), *filter(None, [licence_note(licence_of(network))])]
            check_labels(dataset)
            if note:
                for sentence in notes:
                    note(sentence)
            say("loading the backbone")
            target = choose_device(device)
            network.load(target)
            batch_size = self.backbone.batch_size
            if target.type != "cpu":
                batch_size = max(batch_size, GPU_BATCH)
            shapes = _shapes(network, dataset)
            done = _begin(folder, key, shapes)
            say("fitting the backbone")
            load = partial(_batches, dataset, network, batch_size, self.geometry)
            _fit(network, dataset, folder, load)
            arrays = {name: _array(folder / f"{name}.npy", *shape) for name, shape in shapes.items()}
            journal = folder / JOURNAL, key
            _fill(network, dataset, arrays, journal, target, load, done, progress)
            _describe(network, dataset, notes, folder, key)
            seal(folder)
            (folder / JOURNAL).unlink()
            return load_bank(folder)


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
) -> FeatureBank:
    """The bank of these settings in `folder`: see `BankSource.extract`."""
    return BankSource(data, backbone).extract(folder, device=device, progress=progress, note=note, say=say)


def _key(dataset: Dataset, network: Backbone, geometry: str) -> str:
    attributes = [dataset.class_attributes, dataset.image_attributes]
    material = {
        "format": FORMAT,
        "paths": dataset.paths,
        "digests": dataset.pictures.digests(),
        "labels": dataset.labels.tolist(),
        "is_train": dataset.is_train.tolist(),
        "class_names": dataset.class_names,
        "attributes": [None if a is None else hashlib.sha256(a.tobytes()).hexdigest() for a in attributes],
        "backbone": network.key_material(),
    }
    if geometry != "squash":  # the only one there was at first: its keys do not name it
        material["geometry"] = geometry
    if dataset.groups is not None:
        material["groups"] = dataset.groups.tolist()
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()[:32]


def _finished(folder: Path, key: str) -> FeatureBank | None:
    """The bank in the folder if it is whole and the one asked for."""
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
    (folder / JOURNAL).unlink(missing_ok=True)  # left if the process died right after sealing
    return bank


def _shapes(network: Backbone, dataset: Dataset) -> dict[str, ArraySpec]:
    """Shape and type of the arrays that are filled batch by batch."""
    n, (height, width) = len(dataset), network.grid
    shapes: dict[str, ArraySpec] = {"patches": ((n, height * width, network.dim), np.float16)}
    if network.has_cls:
        shapes["cls"] = ((n, network.dim), np.float16)
    if dataset.has_mask.any():
        shapes["masks"] = ((n, height, width), np.uint8)
    if dataset.parts is not None:
        shapes["parts"] = ((n, *dataset.parts.shape[1:]), np.float32)
    return shapes


def _begin(folder: Path, key: str, shapes: dict[str, ArraySpec]) -> int:
    """Prepares the folder and returns how many images are done already."""
    corrupt = (folder / MANIFEST).exists()
    try:
        journal = read_json(folder / JOURNAL)
        for name, (shape, dtype) in shapes.items():
            read_array(folder / f"{name}.npy", dtype, shape)
        if journal.get("key") == key and is_whole(journal.get("done"), 0, shapes["patches"][0][0]) and not corrupt:
            return int(journal["done"])
    except MalformedError:
        pass  # no journal, half of one, or no arrays: start over
    ours = {JOURNAL, *FILES, MANIFEST}
    if others := sorted(entry.name for entry in folder.iterdir() if entry.name not in ours and entry.suffix != ".tmp"):
        raise UsageError(
            f"{folder} holds other things than a feature bank: {some(others)}",
            "an empty folder, or one with a bank or a part of one",
            "choose another folder; nothing in this one was changed",
        )
    for name in ours:
        (folder / name).unlink(missing_ok=True)
    return 0


def _batches(
    dataset: Dataset, network: Backbone, batch_size: int, geometry: str, index: np.ndarray
) -> Generator[Batch]:
    """The images of these positions as the backbone gets them."""
    return batches(dataset, index, network.image_size, network.grid, batch_size, geometry)


def _fit(network: Backbone, dataset: Dataset, folder: Path, load: Load) -> None:
    """Fits the backbone on training images, or takes the fit an earlier run left."""
    if not network.needs_fit():
        return
    file = folder / FITTED
    with suppress(MalformedError):  # none yet, or one of no use
        return load_fitted(network, file)
    network.fit(batch.images for batch in load(np.flatnonzero(dataset.is_train)))
    write_whole(file, safetensors.torch.save(network.state()))
    load_fitted(network, file)


def _fill(
    network: Backbone,
    dataset: Dataset,
    arrays: dict[str, np.memmap],
    journal: tuple[Path, str],
    device: torch.device,
    load: Load,
    done: int,
    progress: Progress | None,
) -> None:
    """Computes the tokens of all images from `done` on; the journal never runs ahead of the arrays."""
    n, journalled, journalled_s = len(dataset), done, time.monotonic()
    with forward(network, device) as tokens, closing(load(np.arange(done, n))) as loader:
        for batch in loader:
            start, done = done, done + len(batch.index)
            patches, cls = tokens(batch.images)
            arrays["patches"][start:done] = half_tokens(patches, dataset.paths[start])
            if cls is not None:
                arrays["cls"][start:done] = half_tokens(cls, dataset.paths[start])
            if "masks" in arrays:
                arrays["masks"][start:done] = batch.masks
            if batch.parts is not None:
                arrays["parts"][start:done] = batch.parts
            due = done - journalled >= JOURNAL_IMAGES or time.monotonic() - journalled_s > JOURNAL_S
            if due or done == n:
                for array in arrays.values():
                    array.flush()
                write_json(journal[0], {"key": journal[1], "done": done})
                journalled, journalled_s = done, time.monotonic()
            if progress:
                progress(done, n)


def _array(file: Path, shape: tuple[int, ...], dtype: type[np.generic]) -> np.memmap:
    """Opens an array on disk for writing, with all its disk space, so that a full disk shows now.

    Writing through a memory map to a disk that is full would kill the process instead.
    """
    mode: Literal["r+", "w+"] = "r+" if file.exists() else "w+"
    array = np.lib.format.open_memmap(file, mode=mode, dtype=dtype, shape=shape)  # "r+" reads both from the file
    with file.open("r+b") as stream:
        os.posix_fallocate(stream.fileno(), 0, file.stat().st_size)
    return array


def _describe(network: Backbone, dataset: Dataset, notes: list[str], folder: Path, key: str) -> None:
    """Writes the small arrays and bank.json."""
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
        "key": key,
        "format": FORMAT,
        "notes": notes,
        "grid": network.grid,
        "class_names": dataset.class_names,
        "paths": dataset.paths,
        "backbone": network.key_material(),
        "backbone_licence": licence_of(network),
        "made_with": {"torch": torch.__version__, "numpy": np.__version__, "pillow": PIL.__version__},
    }
    write_json(folder / DESCRIPTION, description)


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


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    """Turns errors of the operating system into one that says what to do."""
    try:
        yield
    except OSError as error:
        raise TunerError(
            f"feature bank {folder} cannot be written: {error}",
            "a writable folder on a disk with enough space",
            "choose another folder or make room, then start again; what was computed is kept",
        ) from error
