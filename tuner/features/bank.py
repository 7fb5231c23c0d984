"""The feature bank: frozen tokens of a whole data set, computed once, memory-mapped, sealed by a manifest.

One `.npy` file an array, `bank.json` for the rest, and `manifest.json`, written last, with the size and the
SHA-256 of every file. A folder without a matching manifest is not a bank.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tuner.errors import TunerError
from tuner.features.samples import Samples

MANIFEST = "manifest.json"
DESCRIPTION = "bank.json"
REQUIRED = (DESCRIPTION, "patches.npy", "labels.npy", "is_train.npy", "has_mask.npy")
OPTIONAL = (
    "cls.npy",
    "masks.npy",
    "content.npy",
    "class_attributes.npy",
    "image_attributes.npy",
    "backbone.safetensors",
)
FILES = (*REQUIRED, *OPTIONAL)


@dataclass(frozen=True)
class FeatureBank:
    """Tokens, labels, split and masks of a data set; images are ordered by path.

    Args:
        patches: patch tokens, row-major (grid h, then w), (n_images, n_patches, dim) float16, memory-mapped.
        cls: CLS tokens, (n_images, dim) float16; None where the backbone has none.
        labels: class indices, (n_images,) int64.
        is_train: the training side of the official split, (n_images,) bool.
        masks: grey object masks on the grid, (n_images, grid_h, grid_w) uint8; None if the data set has none.
        has_mask: which images have a mask, (n_images,) bool.
        grid: tokens per column and per row.
        class_names: one name a class.
        paths: image paths relative to the data root.
        class_attributes: (n_classes, n_attributes) float32, percent.
        image_attributes: (n_images, n_attributes) int8, 1 present, 0 absent, -1 unknown.
        key: hash of everything that made the bank.
        folder: where it lies.
        content: for each image the first one with the same content, (n_images,) int64; None in banks made before
            copies were looked for, where every image counts as one of its own.
    """

    patches: np.ndarray
    cls: np.ndarray | None
    labels: np.ndarray
    is_train: np.ndarray
    masks: np.ndarray | None
    has_mask: np.ndarray
    grid: tuple[int, int]
    class_names: tuple[str, ...]
    paths: tuple[str, ...]
    class_attributes: np.ndarray | None
    image_attributes: np.ndarray | None
    key: str
    folder: Path
    content: np.ndarray | None = None

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    @property
    def dim(self) -> int:
        """Width of a token."""
        return int(self.patches.shape[-1])

    def samples(self, index: np.ndarray) -> Samples:
        """Copies the chosen images into memory.

        Args:
            index: (n,) int64 into the images, or an (n_images,) bool mask.
        """
        rows = np.flatnonzero(index) if index.dtype == np.bool_ else index

        def tensor(values: np.ndarray | None) -> torch.Tensor | None:
            return None if values is None else torch.from_numpy(np.asarray(values[rows]))

        attributes = self.class_attributes
        return Samples(
            patches=torch.from_numpy(np.asarray(self.patches[rows])),
            cls=tensor(self.cls),
            labels=torch.from_numpy(self.labels[rows]),
            masks=tensor(self.masks),
            has_mask=None if self.masks is None else tensor(self.has_mask),
            grid=self.grid,
            n_classes=len(self.class_names),
            image_attributes=tensor(self.image_attributes),
            class_attributes=None if attributes is None else torch.from_numpy(attributes.copy()),
        )


def load_bank(folder: Path, *, contents: bool = True) -> FeatureBank:
    """Opens a bank after checking every file against the manifest.

    Args:
        folder: where it lies.
        contents: hash every file; otherwise only sizes are compared, for those who have just verified the folder.

    Raises:
        TunerError: the folder is no complete bank, or a file differs from the manifest; the files are named.
    """
    verify(folder, contents=contents)
    description = json.loads((folder / DESCRIPTION).read_text())

    def array(name: str) -> np.ndarray:
        values: np.ndarray = np.load(folder / f"{name}.npy", allow_pickle=False)
        return values

    def optional(name: str) -> np.ndarray | None:
        return array(name) if (folder / f"{name}.npy").exists() else None

    return FeatureBank(
        patches=np.load(folder / "patches.npy", mmap_mode="r", allow_pickle=False),
        cls=optional("cls"),
        labels=array("labels"),
        is_train=array("is_train"),
        masks=optional("masks"),
        has_mask=array("has_mask"),
        grid=(description["grid"][0], description["grid"][1]),
        class_names=tuple(description["class_names"]),
        paths=tuple(description["paths"]),
        class_attributes=optional("class_attributes"),
        image_attributes=optional("image_attributes"),
        key=description["key"],
        folder=folder,
        content=optional("content"),
    )


def verify(folder: Path, *, contents: bool = True) -> None:
    """Compares every file of a bank with the manifest: size, and SHA-256 if `contents`.

    Raises:
        TunerError: something is missing or differs.
    """
    try:
        files: dict[str, dict[str, Any]] = json.loads((folder / MANIFEST).read_text())["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TunerError(
            f"{folder} is not a complete feature bank ({MANIFEST}: {error})",
            f"a folder with a {MANIFEST}, which is written last",
            "extract the features again; what was already computed is kept where it can be",
        ) from error
    bad = [f"{name} (not in the manifest)" for name in REQUIRED if name not in files]
    for name, entry in files.items():
        path = folder / name
        if not path.is_file():
            bad.append(f"{name} (missing)")
        elif path.stat().st_size != entry["size"]:
            bad.append(f"{name} ({path.stat().st_size} bytes instead of {entry['size']})")
        elif contents and sha256_file(path) != entry["sha256"]:
            bad.append(f"{name} (content changed)")
    if bad:
        raise TunerError(
            f"feature bank {folder} is corrupt: {', '.join(bad)}",
            f"every file as recorded in {MANIFEST}",
            "remove the folder or extract the features again, which rebuilds it",
        )


def seal(folder: Path) -> None:
    """Writes the manifest: size and SHA-256 of every file of the bank, which exists from here on."""
    present = [folder / name for name in FILES if (folder / name).is_file()]
    files = {path.name: {"sha256": sha256_file(path), "size": path.stat().st_size} for path in present}
    write_json(folder / MANIFEST, {"files": files})


def write_json(path: Path, value: Any) -> None:
    """Writes JSON; see `write_whole`."""
    write_whole(path, json.dumps(value, indent=1, sort_keys=True).encode())


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file so that a reader sees the old one or the new one, never half of it."""
    draft = path.with_name(f".{path.name}.tmp")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
