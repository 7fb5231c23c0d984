"""The feature bank: frozen tokens of a whole data set, computed once, memory-mapped, sealed by a manifest.

One `.npy` file per array, `bank.json` for the rest, and `manifest.json`, written last, with the size and the
SHA-256 of every file. A folder without a matching manifest is not a bank.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tuner.base.hashing import sha256_file
from tuner.base.untrusted import (
    MalformedError,
    is_whole,
    pair,
    read_json,
    require,
    shown,
    texts,
    unsound,
)
from tuner.errors import TunerError
from tuner.features.arrays import read_array
from tuner.features.kept import token_type_of
from tuner.features.packing import array_type, unpacking
from tuner.features.rows import Rows
from tuner.features.samples import Samples, token_room
from tuner.features.stored_tokens import StoredTokens

MANIFEST = "manifest.json"
DESCRIPTION = "bank.json"
FITTED = "backbone.safetensors"  # what the backbone learned, or starts from
REQUIRED = (DESCRIPTION, "patches.npy", "labels.npy", "is_train.npy", "has_mask.npy")
OPTIONAL = (
    "cls.npy",
    "masks.npy",
    "content.npy",
    "class_attributes.npy",
    "image_attributes.npy",
    "parts.npy",
    FITTED,
)
FILES = (*REQUIRED, *OPTIONAL)
DESCRIPTION_BYTES = 1_000_000_000  # it holds the path of every image
MOST_TOKENS = 1024  # a side


@dataclass(frozen=True)
class FeatureBank:
    """Tokens, labels, split and masks of a data set; images are ordered by path.

    Args:
        patches: patch tokens, row-major (grid h, then w), (n_images, n_patches, dim) float16, on the disk.
        cls: CLS tokens, (n_images, dim) float16; None where the backbone has none.
        labels: class indices, (n_images,) int64.
        is_train: the training side of the official split, (n_images,) bool.
        masks: grey object masks on the grid, (n_images, grid_h, grid_w) uint8; None if the data set has none.
        has_mask: which images have a mask, (n_images,) bool.
        grid: tokens per column and per row.
        class_names: one name per class.
        paths: image paths relative to the data root.
        class_attributes: (n_classes, n_attributes) float32, percent.
        image_attributes: (n_images, n_attributes) int8, 1 present, 0 absent, -1 unknown.
        key: hash of everything that determines the bank.
        folder: its folder.
        content: for each image the first one with the same content, (n_images,) int64; None in banks made before
            copies were looked for, where every image counts as one of its own.
        backbone: what shaped the tokens besides the pixels, as its `key_material` said; None where unknown.
        parts: keypoints, (n_images, n_parts, 3) float32: x and y in tokens from the upper left corner, and 1 if
            visible. None if the data set has none, and in banks made before they were read, whose keys are the same.
    """

    patches: Rows
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
    backbone: dict[str, Any] | None = None
    parts: np.ndarray | None = None

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    @property
    def dim(self) -> int:
        """Width of a token."""
        return int(self.patches.shape[-1])

    def samples(self, index: np.ndarray, *, room_bytes: float | None = None) -> Samples:
        """The chosen images, their tokens in memory where there is room, else on the disk.

        Which of the two it is changes no result. Samples on the disk are read in blocks as they are used.

        Args:
            index: (n,) int64 into the images, or an (n_images,) bool mask.
            room_bytes: what patch tokens may take of main memory; None: a share of what is free.

        Raises:
            MalformedError: a token of them is no number.
        """
        rows = np.flatnonzero(index) if index.dtype == np.bool_ else index

        def tensor(values: np.ndarray | None) -> torch.Tensor | None:
            return None if values is None else torch.from_numpy(np.asarray(values[rows]))

        attributes = self.class_attributes
        placed = self.grid != (1, 1)  # masks and parts mean nothing where an image has one place
        patches = StoredTokens.of(self.patches, rows, self.folder)
        stays = patches.nbytes > (token_room() if room_bytes is None else room_bytes)
        return Samples(
            patches=patches if stays else patches.to("cpu"),
            cls=None if self.cls is None else StoredTokens.of(self.cls, rows, self.folder).to("cpu"),
            labels=torch.from_numpy(self.labels[rows]),
            masks=tensor(self.masks) if placed else None,
            has_mask=tensor(self.has_mask) if placed and self.masks is not None else None,
            grid=self.grid,
            n_classes=len(self.class_names),
            image_attributes=tensor(self.image_attributes),
            class_attributes=None if attributes is None else torch.from_numpy(attributes.copy()),
            parts=tensor(self.parts) if placed else None,
            content=tensor(self.content),
            streamed=stays,
        )


def load_bank(folder: Path, *, contents: bool = True) -> FeatureBank:
    """Opens a bank after checking every file against the manifest.

    Args:
        folder: its folder.
        contents: hash every file; otherwise only sizes are compared, for those who have just verified the folder.

    Raises:
        MalformedError: the folder is not a complete bank, a file differs from the manifest, or its content is invalid.
    """
    verify(folder, contents=contents)
    key, sides, names, paths, made_by = _description(folder / DESCRIPTION)
    n, kind = len(paths), token_type_of(made_by, folder / DESCRIPTION)

    def optional(name: str, dtype: type[np.generic], *shape: int | None) -> np.ndarray | None:
        path = folder / f"{name}.npy"
        return read_array(path, dtype, shape, mapped=False) if os.path.lexists(path) else None

    def array(name: str, dtype: type[np.generic], *shape: int | None) -> np.ndarray:
        return read_array(folder / f"{name}.npy", dtype, shape, mapped=False)

    bank = FeatureBank(
        patches=unpacking(read_array(folder / "patches.npy", array_type(kind), (n, sides[0] * sides[1], None)), kind),
        cls=optional("cls", np.float16, n, None),
        labels=array("labels", np.int64, n),
        is_train=array("is_train", np.bool_, n),
        masks=optional("masks", np.uint8, n, *sides),
        has_mask=array("has_mask", np.bool_, n),
        grid=sides,
        class_names=tuple(names),
        paths=tuple(paths),
        class_attributes=optional("class_attributes", np.float32, len(names), None),
        image_attributes=optional("image_attributes", np.int8, n, None),
        key=key,
        folder=folder,
        content=optional("content", np.int64, n),
        backbone=made_by,
        parts=optional("parts", np.float32, n, None, 3),
    )
    _check(bank)
    return bank


def open_bank(folder: Path) -> FeatureBank:
    """As `load_bank`, for a folder whose files have just been verified."""
    return load_bank(folder, contents=False)


def _description(file: Path) -> tuple[str, tuple[int, int], list[str], list[str], dict[str, Any] | None]:
    """Key, grid, class names, paths and the backbone's description."""
    about = read_json(file, DESCRIPTION_BYTES)
    key, names, paths, made_by = (about.get(name) for name in ("key", "class_names", "paths", "backbone"))
    sides = pair(about.get("grid"), 1, MOST_TOKENS)
    if isinstance(key, str) and sides and texts(names) and texts(paths) and isinstance(made_by, dict | None):
        return key, sides, names, paths, made_by
    raise unsound(file, "its key, grid, class_names or paths are missing or odd", "the description of a bank")


def _check(bank: FeatureBank) -> None:
    """Refuse arrays that cannot belong together.

    Raises:
        MalformedError: naming the first such thing.
    """
    n, n_classes = len(bank), len(bank.class_names)
    attributes = (bank.class_attributes, bank.image_attributes)
    widths = {part.shape[1] for part in attributes if part is not None}
    first = np.arange(n) if bank.content is None else bank.content
    earlier = (first >= 0).all() and (first <= np.arange(n)).all()
    require(earlier, bank.folder, "a copy refers to no earlier image", "an earlier image, or itself")
    for holds, problem, expected in (
        (bank.dim > 0, "its tokens have no width", "tokens"),
        (bank.cls is None or bank.cls.shape[1] == bank.dim, "CLS and patch tokens differ in width", "one width"),
        (0 <= bank.labels.min() <= bank.labels.max() < n_classes, "a label is of no class", f"0 to {n_classes - 1}"),
        ((first[first] == first).all(), "a copy names a copy", "the first image of a content"),
        (bank.masks is not None or not bank.has_mask.any(), "it has no masks and says so of none", "masks"),
        (len(widths) < 2, "images and classes have different attributes", "the same ones"),
    ):
        require(holds, bank.folder, problem, expected)


def verify(folder: Path, *, contents: bool = True) -> None:
    """Compares every file of a bank with the manifest: size, and SHA-256 if `contents`.

    Raises:
        MalformedError: something is missing or differs.
    """
    try:
        files = read_json(folder / MANIFEST)["files"]
        if not all(name in FILES and is_whole(entry["size"], 0, 2**60) for name, entry in files.items()):
            raise ValueError("it names files that no bank has")
        recorded = {name: str(entry["sha256"]) for name, entry in files.items()}
    except (TunerError, AttributeError, ValueError, KeyError, TypeError) as error:
        reason = error.what if isinstance(error, TunerError) else shown(str(error), 200)
        raise MalformedError(
            f"{folder} is not a complete feature bank ({MANIFEST}: {reason})",
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
        elif contents and sha256_file(path) != recorded[name]:
            bad.append(f"{name} (content changed)")
    if bad:
        raise MalformedError(
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
