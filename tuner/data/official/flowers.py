"""Oxford Flowers-102: images in one folder, labels and split in MATLAB files, flowers on blue as segmentations."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from tuner.base.progress import Progress
from tuner.data.mat import read_mat
from tuner.data.official.manifest import Line, Options
from tuner.data.pixels import read_image
from tuner.errors import UsageError

LAYOUT = "imagelabels.mat, setid.mat, jpg/image_00001.jpg and so on, and, for object masks, segmim/segmim_00001.jpg"
SPLITS = {"train": "trnid", "val": "valid", "test": "tstid"}
BLUE = (0, 0, 254)  # painted where a segmentation has no flower
NEAR = 40  # from it in each channel, since JPEG changes it somewhat
MASKS = "masks"


def flowers(root: Path, _: Options, progress: Progress, todo: str) -> list[Line]:
    """The images with the official split and masks; labels are the numbers 001 to 102, as the archives have no names.

    Masks are written to `masks/`: 255 where a segmentation is not blue.

    Raises:
        TunerError: a file cannot be read, or lacks a variable.
        UsageError: the labels and the split do not fit each other.
    """
    labels = np.atleast_1d(read_mat(root / "imagelabels.mat", ("labels",), LAYOUT, todo)["labels"])
    ids = read_mat(root / "setid.mat", tuple(SPLITS.values()), LAYOUT, todo)
    lines = []
    for split, name in SPLITS.items():
        for image in np.atleast_1d(ids[name]).tolist():
            if not (isinstance(image, int) and 1 <= image <= len(labels)):
                raise UsageError(
                    f"{root / 'setid.mat'}, {name}: image {image!r:.40}",
                    f"1 to {len(labels)}, as imagelabels.mat has labels",
                    todo,
                )
            label = labels[image - 1]
            if not isinstance(label, int | np.integer):
                raise UsageError(f"{root / 'imagelabels.mat'}: label {label!r:.40}", "whole numbers", todo)
            segmentation = root / "segmim" / f"segmim_{image:05d}.jpg"
            mask = f"{MASKS}/image_{image:05d}.png" if segmentation.is_file() else ""
            lines.append(Line(f"jpg/image_{image:05d}.jpg", f"{label:03d}", split, mask))
    _write_masks(root, [line.mask for line in lines if line.mask], progress)
    return lines


def _write_masks(root: Path, masks: Sequence[str], progress: Progress) -> None:
    """Write the masks that are not there yet, each once: a malformed list may name an image twice."""
    (root / MASKS).mkdir(exist_ok=True)
    missing = [root / mask for mask in dict.fromkeys(masks) if not (root / mask).is_file()]
    if not missing:
        return
    with progress.step("writing masks") as step, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done, _ in enumerate(pool.map(_write_mask, missing), start=1):
            step.count(done, len(missing), "masks")


def _write_mask(file: Path) -> None:
    segmentation = file.parents[1] / "segmim" / f"segmim_{file.stem.removeprefix('image_')}.jpg"
    pixels = np.asarray(read_image(segmentation)).astype(np.int16)
    is_flower = (np.abs(pixels - np.array(BLUE, np.int16)) > NEAR).any(2)
    draft = file.with_name(f".{file.name}")
    Image.fromarray(np.where(is_flower, 255, 0).astype(np.uint8)).save(draft, "PNG")
    draft.replace(file)
