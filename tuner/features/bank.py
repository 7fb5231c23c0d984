"""The feature bank: frozen tokens of a whole data set, computed once, memory-mapped, sealed by a manifest.

Small arrays are files of the bank's folder, tokens are those of its shards; see `bank_files`. A folder without a
matching manifest is not a bank. Importing this does not import torch.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tuner.base.untrusted import MalformedError, require
from tuner.features.arrays import read_array
from tuner.features.bank_files import (
    DESCRIPTION,
    FILES,
    FITTED,
    MANIFEST,
    SHARDS,
    Description,
    read_description,
    seal,
    verify,
    write_json,
    write_whole,
)
from tuner.features.kept import token_type_of
from tuner.features.rows import Rows
from tuner.features.settings import TOKEN_TYPES
from tuner.features.sharded_rows import together

if TYPE_CHECKING:
    import torch

    from tuner.features.samples import Samples

__all__ = [
    "DESCRIPTION",
    "FILES",
    "FITTED",
    "MANIFEST",
    "FeatureBank",
    "load_bank",
    "open_bank",
    "seal",
    "verify",
    "write_json",
    "write_whole",
]


@dataclass(frozen=True)
class FeatureBank:
    """Tokens, labels, split and masks of a data set; images are ordered by path.

    Args:
        patches: patch tokens, row-major (grid h, then w), (n_images, n_patches, dim) float16, on the disk.
        cls: CLS tokens, (n_images, dim) float16, likewise; None where the backbone has none.
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
        licence: of the backbone's weights; None where it has none, and in banks made before it was kept.
    """

    patches: Rows
    cls: Rows | None
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
    licence: str | None = None

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    @property
    def dim(self) -> int:
        """Width of a token."""
        return int(self.patches.shape[-1])

    def samples(self, index: np.ndarray, *, room_bytes: float | None = None) -> "Samples":
        """The chosen images, their tokens in memory where there is room, else on the disk.

        Which of the two it is changes no result. Samples on the disk are read in blocks as they are used.

        Args:
            index: (n,) int64 into the images, or an (n_images,) bool mask.
            room_bytes: what patch tokens may take of memory; None: a share of what is free
                (`tuner.features.samples.token_room`).

        Raises:
            MalformedError: a token of them is no number.
        """
        import torch

        from tuner.features.samples import Samples, token_room
        from tuner.features.stored_tokens import StoredTokens

        rows = np.flatnonzero(index) if index.dtype == np.bool_ else index

        def tensor(values: Rows | None) -> "torch.Tensor | None":
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
    about = read_description(folder)
    n, n_classes = len(about.paths), len(about.class_names)

    def optional(name: str, dtype: type[np.generic], *shape: int | None) -> np.ndarray | None:
        path = folder / f"{name}.npy"
        return read_array(path, dtype, shape, mapped=False) if os.path.lexists(path) else None

    def array(name: str, dtype: type[np.generic], *shape: int | None) -> np.ndarray:
        return read_array(folder / f"{name}.npy", dtype, shape, mapped=False)

    rows, kind = _Rows(folder, about), token_type_of(about.backbone, folder / DESCRIPTION)
    is_packed = kind != TOKEN_TYPES[0]
    patches = rows.mapped("patches", np.int8 if is_packed else np.float16, about.grid[0] * about.grid[1], None)
    if patches is None:
        raise MalformedError(
            f"feature bank {folder} has no tokens", "patches.npy, or shards", "extract the features again"
        )
    if is_packed:
        from tuner.features.packing import unpacking

        patches = unpacking(patches, kind)
    bank = FeatureBank(
        patches=patches,
        cls=rows.mapped("cls", np.float16, None),
        labels=array("labels", np.int64, n),
        is_train=array("is_train", np.bool_, n),
        masks=rows.whole("masks", np.uint8, *about.grid),
        has_mask=array("has_mask", np.bool_, n),
        grid=about.grid,
        class_names=tuple(about.class_names),
        paths=tuple(about.paths),
        class_attributes=optional("class_attributes", np.float32, n_classes, None),
        image_attributes=optional("image_attributes", np.int8, n, None),
        key=about.key,
        folder=folder,
        content=optional("content", np.int64, n),
        backbone=about.backbone,
        parts=rows.whole("parts", np.float32, None, 3),
        licence=about.licence,
    )
    _check(bank)
    return bank


class _Rows:
    """Arrays with one row per image: in one file, or in one of each shard."""

    def __init__(self, folder: Path, about: Description) -> None:
        listed = about.shards or [("", len(about.paths))]
        self.folder = folder
        self.places = [(folder / SHARDS / key if key else folder, n) for key, n in listed]

    def mapped(self, name: str, dtype: type[np.generic], *shape: int | None) -> Rows | None:
        """Tokens, left on the disk; None if there are none of them."""
        parts = [read_array(file, dtype, (n, *shape)) for file, n in self._files(name)]
        require(len({part.shape[1:] for part in parts}) < 2, self.folder, f"its {name} differ in width", "one width")
        absent = 0 < len(parts) < len(self.places)
        require(not absent, self.folder, f"a shard has no {name}", f"{name} in every shard, or in none")
        return together(parts) if parts else None

    def whole(self, name: str, dtype: type[np.generic], *shape: int | None) -> np.ndarray | None:
        """A small array in memory, 0 where a shard has none of it; None if no shard has any."""
        parts = {file.parent: read_array(file, dtype, (n, *shape), mapped=False) for file, n in self._files(name)}
        if not parts:
            return None
        row = next(iter(parts.values())).shape[1:]
        require({part.shape[1:] for part in parts.values()} == {row}, self.folder, f"its {name} differ", "one shape")
        return np.concatenate([parts.get(place, np.zeros((n, *row), dtype)) for place, n in self.places])

    def _files(self, name: str) -> list[tuple[Path, int]]:
        files = [(place / f"{name}.npy", n) for place, n in self.places]
        return [(file, n) for file, n in files if os.path.lexists(file)]


def open_bank(folder: Path) -> FeatureBank:
    """As `load_bank`, for a folder whose files have just been verified."""
    return load_bank(folder, contents=False)


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
