"""The pieces of work that make a bank: each is done once, sealed under its key, and found again by whoever comes next.

There are three kinds, in this order: facts about masks, what the backbone learns from the training images, and shards
of the tokens. A piece holds all it needs, so any process on any node may do it.
"""

import hashlib
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.base.folders import made_folder
from tuner.data.dataset import Pictures
from tuner.errors import TunerError
from tuner.features.bank_files import FITTED
from tuner.features.kinds import BACKBONES, BackboneKind
from tuner.features.settings import BackboneSettings
from tuner.features.shelf import Shelf

if TYPE_CHECKING:
    import torch

    from tuner.features.backbone import Backbone

DRAFT = ".draft-"
Tell = Callable[[int], None]  # called with a number of images that are done


@dataclass(frozen=True)
class Done:
    """How a piece ended.

    Attributes:
        images: of the piece.
        faults: what is wrong with its images; such a piece is not sealed.
    """

    images: int
    faults: tuple[TunerError, ...] = ()


@dataclass(frozen=True)
class Piece:
    """A piece of work.

    Attributes:
        kind: of its artifact.
        key: of its artifact: the hash of everything that shapes it.
        paths: of its images, for messages.
        pictures: of its images alone.
        has_mask: which of them have a mask, (n,) bool.
        parts: keypoints in pixels, (n, n_parts, 3) float32; None where the data set has none.
        fit: key of what the backbone has learned; empty: nothing.
        geometry: which part of an image enters the backbone.
    """

    kind: str
    key: str
    paths: tuple[str, ...]
    pictures: Pictures
    has_mask: np.ndarray
    parts: np.ndarray | None = None
    fit: str = ""
    geometry: str = "squash"

    def __len__(self) -> int:
        """The number of its images."""
        return len(self.paths)


def piece_key(**material: Any) -> str:
    """Hash of a JSON value (32 hexadecimal digits)."""
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()[:32]


def part_of(pictures: Pictures, index: np.ndarray) -> Pictures:
    """The pictures at these positions alone; of a registered data set without `part`, all of them travel."""
    if not hasattr(pictures, "part"):
        return _Part(pictures, index)
    part: Pictures = pictures.part(index)
    return part


@dataclass(frozen=True)
class _Part:
    """Some of the pictures of a source that cannot be divided."""

    whole: Pictures
    index: np.ndarray

    def image(self, i: int) -> Any:
        return self.whole.image(int(self.index[i]))

    def mask(self, i: int) -> Any:
        return self.whole.mask(int(self.index[i]))

    def digests(self) -> list[list[str]]:
        digests = self.whole.digests()
        return [digests[i] for i in self.index]

    def part(self, index: np.ndarray) -> "_Part":
        return _Part(self.whole, self.index[index])


@dataclass
class Extractor:
    """A process that does pieces: it loads the backbone once, when a piece needs it.

    Args:
        backbone: the recipe's backbone settings.
        data_name: the data set's name.
        scratch: local folder for drafts.
        device: `cpu`, `cuda`, `cuda:1` or `auto`.
        n_threads: threads that decode images; 0: as many as this process has CPUs, at most 16.
        kinds: backbones that were registered in the driver's process alone.
    """

    backbone: BackboneSettings
    data_name: str
    scratch: Path
    device: str = "auto"
    n_threads: int = 0
    kinds: dict[str, BackboneKind] = field(default_factory=BACKBONES.added)
    _loaded: "tuple[str, Backbone] | None" = None

    def __getstate__(self) -> dict[str, Any]:
        """Without the network, which each process loads for itself."""
        state = {name: value for name, value in self.__dict__.items() if name != "target"}
        return {**state, "_loaded": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """In another process, where a backbone of the driver's may not be known."""
        self.__dict__.update(state)
        for name, kind in self.kinds.items():
            if name not in BACKBONES:
                BACKBONES.add(kind)

    @cached_property
    def target(self) -> "torch.device":
        """The device.

        Raises:
            UsageError: there is no such device.
        """
        from tuner.features.device import choose_device

        return choose_device(self.device)

    def network(self, shelf: Shelf, fit: str = "") -> "Backbone":
        """The backbone on the device, with what it has learned.

        Args:
            shelf: holds what it has learned.
            fit: key of that; empty: nothing, or not yet.

        Raises:
            TunerError: the weights are missing on this machine.
        """
        from tuner.features.backbone import load_fitted
        from tuner.features.registry import make_backbone

        if self._loaded is None or self._loaded[0] != fit:
            network = make_backbone(self.backbone, self.data_name)
            network.load(self.target)
            if fit:
                load_fitted(network, shelf.fetch("fits", fit) / FITTED)
            self._loaded = fit, network
        return self._loaded[1]

    def forget(self) -> None:
        """Load the backbone anew the next time: it has been fitted in this process."""
        self._loaded = None

    @contextmanager
    def draft(self) -> Iterator[Path]:
        """An empty folder for the files of a piece, removed afterwards.

        Raises:
            TunerError: the disk cannot take them.
        """
        with on_disk(self.scratch):
            remove_drafts(made_folder(self.scratch))
            folder = Path(tempfile.mkdtemp(prefix=f"{DRAFT}{socket.gethostname()}-{os.getpid()}-", dir=self.scratch))
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)


def remove_drafts(folder: Path) -> None:
    """Remove what processes of this machine have left that were killed while they wrote."""
    mine = f"{DRAFT}{socket.gethostname()}-"
    for draft in folder.glob(f"{mine}*"):
        pid = draft.name.removeprefix(mine).partition("-")[0]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists() and Path("/proc/self").exists():
            shutil.rmtree(draft, ignore_errors=True)


def save_array(file: Path, values: np.ndarray) -> None:
    """Write a `.npy` file that is on the disk when this returns."""
    with file.open("wb") as stream:
        np.lib.format.write_array(stream, np.ascontiguousarray(values), allow_pickle=False)
        stream.flush()
        os.fsync(stream.fileno())


@contextmanager
def on_disk(folder: Path) -> Iterator[None]:
    """Turns errors of the operating system into one that says what to do."""
    try:
        yield
    except OSError as error:
        raise TunerError(
            f"features cannot be written in {folder}: {error}",
            "a writable folder on a disk with enough space",
            "choose another folder or make room, then start again; what was computed is kept",
        ) from error
