"""Object masks from a COCO file of annotations: polygons and run-length encodings, joined for each image.

Formats: https://cocodataset.org/#format-data. The mask of an image is the union of all its annotations.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from tuner.base.files import read_bounded
from tuner.data.pixels import ImageError
from tuner.data.place import Place
from tuner.data.words import count, some
from tuner.errors import TunerError, UsageError

LARGEST = 2_000_000_000  # bytes; COCO's own training annotations take 470 MB
LAYOUT = "a COCO file: images with id, file_name, width and height; annotations with image_id and segmentation"


@dataclass(frozen=True, slots=True)
class CocoMask:
    """The objects of one image.

    Args:
        where: the file and image, for messages.
        size: width and height.
        shapes: the segmentations of its annotations, as JSON.
    """

    where: str
    size: tuple[int, int]
    shapes: str

    def __str__(self) -> str:
        """The file and image."""
        return self.where

    def values(self) -> np.ndarray:
        """255 where any annotation has an object, (height, width) uint8.

        Raises:
            ImageError: a segmentation is malformed.
        """
        whole = np.zeros((self.size[1], self.size[0]), dtype=np.bool_)
        try:
            for shape in json.loads(self.shapes):
                whole |= drawn(shape, self.size)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
            raise ImageError(
                f"{self.where}: segmentation is malformed ({error})", "polygons or RLE", "correct it"
            ) from error
        return np.where(whole, 255, 0).astype(np.uint8)

    def digest(self) -> str:
        """Hash of size and segmentations."""
        return sha256(f"{self.size} {self.shapes}".encode()).hexdigest()


def drawn(shape: Any, size: tuple[int, int]) -> np.ndarray:
    """A segmentation as (height, width) bool.

    Args:
        shape: a list of polygons, each x0, y0, x1, y1, ... in pixels; or an RLE, `counts` as numbers or text.
        size: width and height.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(shape, list):
        canvas = Image.new("1", size)
        pencil = ImageDraw.Draw(canvas)
        for polygon in shape:
            if len(polygon) < 6 or len(polygon) % 2:
                raise ValueError(f"a polygon of {len(polygon)} numbers")
            pencil.polygon([float(value) for value in polygon], fill=1)
        return np.asarray(canvas)
    if tuple(shape["size"]) != (size[1], size[0]):
        raise ValueError(f"RLE of {shape['size']} for an image of height {size[1]} and width {size[0]}")
    runs = shape["counts"]
    lengths = np.asarray(decoded(runs) if isinstance(runs, str) else runs, dtype=np.int64)
    if (lengths < 0).any() or lengths.sum() != size[0] * size[1]:
        raise ValueError(f"RLE of {lengths.sum():,} pixels")
    flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
    return np.asarray(flat.reshape(size).T)  # runs go down the columns


def decoded(text: str) -> list[int]:
    """The run lengths of a compressed RLE: five bits a character, differences to the run before the last."""
    runs: list[int] = []
    value = shift = 0
    for letter in text.encode():
        bits = letter - 48
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs


def coco_masks(file: Place, paths: Sequence[str]) -> tuple[list[CocoMask | None], list[str]]:
    """For each image the mask of its annotations; None for one without any; and notes.

    An image is found by its path, or else by the end of its path, if that is unique.

    Raises:
        TunerError: the file cannot be read.
        UsageError: it is no such file, or no image is in it.
    """
    listed, shapes = _read(file)
    by_name: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        by_name[PurePosixPath(path).name].append(path)
    known = set(paths)
    masks: dict[str, CocoMask] = {}
    lost: list[str] = []
    for key, (name, size) in listed.items():
        ends = [path for path in by_name[PurePosixPath(name).name] if path.endswith(f"/{name}")]
        found = name if name in known else ends[0] if len(ends) == 1 else ""
        if not found:
            lost.append(name)
        elif found in masks:
            raise UsageError(f"{file} describes {found} twice", "one entry per image", "remove the other")
        elif shapes[key]:
            masks[found] = CocoMask(f"{file}, {name}", size, json.dumps(shapes[key]))
    if not masks:
        raise UsageError(
            f"no image of {file} with a segmentation is in the data set",
            f"file_name such as {paths[0]}",
            "check data.masks, or leave it empty",
        )
    notes = []
    if lost:
        notes.append(f"{count(len(lost), 'image')} of {file} not in the data set, such as {some(lost)}")
    return [masks.get(path) for path in paths], notes


def _read(file: Place) -> tuple[dict[Any, tuple[str, tuple[int, int]]], dict[Any, list[Any]]]:
    """Name and size of each image, and its segmentations, by its id."""
    try:
        data = json.loads(read_bounded(file, LARGEST) if isinstance(file, Path) else file.read_bytes())
        images = {
            image["id"]: (str(image["file_name"]), (int(image["width"]), int(image["height"])))
            for image in data["images"]
        }
        shapes: dict[Any, list[Any]] = defaultdict(list)
        for annotation in data["annotations"]:
            if annotation.get("segmentation"):
                shapes[annotation["image_id"]].append(annotation["segmentation"])
    except OSError as error:
        raise TunerError(f"{file} cannot be read: {error.strerror or error}", LAYOUT, "check data.masks") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"{file} is not such a file ({error})", LAYOUT, "check data.masks") from error
    return images, shapes
