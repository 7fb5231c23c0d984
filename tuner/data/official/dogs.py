"""Stanford Dogs: lists in MATLAB files, and boxes of the dogs in XML files in the manner of PASCAL VOC."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from tuner.base.files import read_bounded
from tuner.base.progress import Progress
from tuner.base.untrusted import shown
from tuner.data.mat import read_mat
from tuner.data.official.manifest import Box, Line, Options
from tuner.data.paths import clean_path
from tuner.data.pixels import opened
from tuner.errors import TunerError, UsageError

LAYOUT = "train_list.mat and test_list.mat with file_list and labels, Images/ and, for boxes, Annotation/"
CORNERS = ("xmin", "ymin", "xmax", "ymax")
XML_BYTES = 1_000_000


def dogs(root: Path, options: Options, progress: Progress, todo: str) -> list[Line]:
    """The images with the official split; labels are breeds, such as Chihuahua.

    Images are used whole, or what the boxes of all dogs in them cover (`options.crop`).

    Raises:
        TunerError: a list or an annotation cannot be read.
        UsageError: a list is malformed, or a label stands for two breeds.
    """
    lines, breeds = [], dict[int, str]()
    with progress.step("reading lists" if not options.crop else "reading boxes") as step:
        for split in ("train", "test"):
            file = root / f"{split}_list.mat"
            content = read_mat(file, ("file_list", "labels"), LAYOUT, todo)
            files, labels = (np.atleast_1d(content[name]).tolist() for name in ("file_list", "labels"))
            if len(files) != len(labels):
                raise UsageError(f"{file} has {len(files)} files and {len(labels)} labels", "one label each", todo)
            for number, (path, label) in enumerate(zip(files, labels, strict=True), start=1):
                breed, image = _image(file, path, todo)
                if breeds.setdefault(label, breed) != breed:
                    raise UsageError(f"{file}: label {label} of {breeds[label]} and {breed}", "one breed each", todo)
                box = _box(root, image, todo) if options.crop else None
                lines.append(Line(f"Images/{image}", breed, split, box=box))
                step.count(number, len(files), f"{split} images")
    return lines


def _image(file: Path, path: object, todo: str) -> tuple[str, str]:
    """Breed and path of an image such as `n02085620-Chihuahua/n02085620_5927.jpg`."""
    image = clean_path(str(path))
    folder, slash, name = image.partition("/")
    breed = folder.partition("-")[2]
    if not (breed and slash and name) or "/" in name or name == "..":
        raise UsageError(f"{file}: image {shown(path)}", "<synset>-<breed>/<file>.jpg", todo)
    return breed, image


def _box(root: Path, image: str, todo: str) -> Box:
    """What the boxes of all dogs in an image cover."""
    file = root / "Annotation" / Path(image).with_suffix("")
    try:
        tree = ElementTree.fromstring(read_bounded(file, XML_BYTES))
        corners = [[int(float(box.findtext(name, ""))) for name in CORNERS] for box in tree.iter("bndbox")]
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise TunerError(f"{file} cannot be read: {error}", "boxes with xmin, ymin, xmax, ymax", todo) from error
    with opened(root / "Images" / image) as photograph:
        width, height = photograph.size
    if corners:
        x0, y0, x1, y1 = np.array(corners).T
        box = max(int(x0.min()), 0), max(int(y0.min()), 0), min(int(x1.max()), width), min(int(y1.max()), height)
        if box[0] < box[2] and box[1] < box[3]:
            return box
    raise TunerError(f"{file} has no box within {width}x{height} pixels", "at least one dog", todo)
