"""Writes the manifest of a data set: a CSV with a line per image, `path,label,split[,mask,box]`."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tuner.data.words import count, some
from tuner.errors import TunerError, UsageError

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Line:
    """One image.

    Attributes:
        path: relative to the data set's folder.
        label: its class, as text.
        split: train, val or test.
        mask: path of its object mask, relative to the data set's folder; "" without one.
        box: what of the image is used, in pixels: left, top, right, bottom; the left and top ones are inside, the
            right and bottom ones outside. None: all of it.
    """

    path: str
    label: str
    split: str
    mask: str = ""
    box: Box | None = None


@dataclass(frozen=True)
class Options:
    """What a manifest is made of.

    Attributes:
        labels: kind of its labels, of data sets that have several.
        crop: use the box of the object, of data sets that have such boxes.
    """

    labels: str = ""
    crop: bool = False


def write_manifest(file: Path, root: Path, lines: Sequence[Line], todo: str) -> None:
    """Write a manifest, whole or not at all; columns that no line has are left out.

    Args:
        file: its path; one that is there is replaced.
        root: the data set's folder.
        lines: the images; each has a path of its own.
        todo: what to do where images are missing.

    Raises:
        TunerError: images or masks are missing, or there are none.
        UsageError: an image is listed twice.
    """
    if not lines:
        raise TunerError(f"{root} lists no images", "at least one", todo)
    listed: set[str] = set()
    for line in lines:
        if line.path in listed:
            raise UsageError(f"{line.path} is listed twice in {root}", "each image once, in one split", todo)
        listed.add(line.path)
    files = [*(line.path for line in lines), *(line.mask for line in lines if line.mask)]
    if missing := [path for path in files if not (root / path).is_file()]:
        raise TunerError(
            f"{count(len(missing), 'file')} of {len(files):,} in {root} are missing, such as {some(missing)}",
            "all images and masks that the lists name",
            todo,
        )
    masked, boxed = any(line.mask for line in lines), any(line.box for line in lines)
    draft = file.with_name(f".{file.name}.new")
    with draft.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["path", "label", "split", *["mask"] * masked, *["box"] * boxed])
        for line in sorted(lines, key=lambda line: line.path):
            box = ",".join(map(str, line.box)) if line.box else ""
            writer.writerow([line.path, line.label, line.split, *[line.mask] * masked, *[box] * boxed])
    draft.replace(file)
