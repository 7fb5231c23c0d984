"""FGVC-Aircraft: lists of `image label` by split and kind of label, boxes, and a banner below each photograph."""

from pathlib import Path

from tuner.base.progress import Progress
from tuner.data.official.manifest import Box, Line, Options
from tuner.data.pixels import opened
from tuner.data.tables import Row, read_listing
from tuner.errors import UsageError

FOLDER = "fgvc-aircraft-2013b/data"
SPLITS = ("train", "val", "test")
BANNER = 20  # rows of pixels that name the photographer


def aircraft(root: Path, options: Options, progress: Progress, todo: str) -> list[Line]:
    """The images with the official split; the banner is cut off, or all but the aircraft (`options.crop`).

    Raises:
        TunerError: a list or an image cannot be read.
        UsageError: a list is malformed.
    """
    data = root / FOLDER
    boxes = _boxes(data / "images_box.txt", todo) if options.crop else {}
    lines = []
    with progress.step("reading sizes of images") as step:
        for split in SPLITS:
            rows = read_listing(data / f"images_{options.labels or 'variant'}_{split}.txt", ("image", "label"), todo)
            for number, row in enumerate(rows, start=1):
                path = f"images/{row['image']}.jpg"
                lines.append(Line(f"{FOLDER}/{path}", row["label"], split, box=_box(data / path, row, boxes, options)))
                step.count(number, len(rows), f"{split} images")
    return lines


def _box(image: Path, row: Row, boxes: dict[str, Box], options: Options) -> Box:
    with opened(image) as photograph:
        width, height = photograph.size
    left, top, right, bottom = 0, 0, width, height - BANNER
    if options.crop:
        if row["image"] not in boxes:
            raise row.refuse(f"image {row['image']} has no box in images_box.txt", "a box for each image")
        x0, y0, x1, y1 = boxes[row["image"]]
        left, top, right, bottom = max(x0, left), max(y0, top), min(x1, right), min(y1, bottom)
    if left >= right or top >= bottom:
        raise row.refuse(f"nothing is left of {image}, {width}x{height}", f"a box above the banner of {BANNER} rows")
    return left, top, right, bottom


def _boxes(file: Path, todo: str) -> dict[str, Box]:
    """Boxes by image. The publisher counts pixels from 1 and includes both ends."""
    boxes: dict[str, Box] = {}
    for row in read_listing(file, ("image", "box"), todo):
        cells = row["box"].split()
        if len(cells) != 4 or not all(cell.isdigit() for cell in cells):
            raise UsageError(f"{row.where}: box {row['box']!r}", "four whole numbers, in pixels", todo)
        x0, y0, x1, y1 = map(int, cells)
        boxes[row["image"]] = x0 - 1, y0 - 1, x1, y1
    return boxes
