"""Matches object masks to images: in a separate folder, or beside the images under other names."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath

from tuner.data.place import Place
from tuner.data.walk import walk
from tuner.data.words import count, printable, some
from tuner.errors import UsageError

# x_mask.png, x-seg.png, x_mask_1.png, "x mask (2).png", mask_x.png: a mask, if there is an x beside it.
MASK_NAME = re.compile(
    r"(?P<image>.+?)[ _.-](?:masks?|segm?|segmentation|gt|ground[ _-]?truth|trimap)(?:[ _.-]?\(?\d+\)?)?"
    r"|(?:mask|seg|segmentation|gt|trimap)[ _.-](?P<named>.+)",
    re.IGNORECASE,
)
MASK_FOLDERS = frozenset(
    {
        "mask", "masks", "segmentation", "segmentations", "segmentationclass", "segmentationobject", "gt",
        "ground_truth", "ground-truth", "ground truth", "groundtruth", "trimap", "trimaps", "labels", "annotations",
    }
)  # fmt: skip
IMAGE_FOLDERS = frozenset({"image", "images", "img", "imgs", "jpegimages"})


def masks_like(folder: Place, paths: Sequence[str]) -> tuple[list[Place | None], list[str]]:
    """For each image the mask at the same relative path with any suffix, and notes.

    A mask may have the name of its image, or a name such as x_mask.png unless an image has that name.

    Raises:
        UsageError: no mask matches, or several match one image.
    """
    found = walk(folder)
    masks: dict[str, list[str]] = defaultdict(list)
    used = [_stem(path) for path in paths]
    used_set = set(used)
    for mask in found.images:
        stem = _stem(mask)
        masks[stem if stem in used_set else _without_mask(stem) or stem].append(mask)
    if not (matched := masks.keys() & used_set):
        raise UsageError(
            f"no file in {folder} matches an image",
            f"for example {printable(str(PurePosixPath(paths[0]).with_suffix('.png')))}",
            "check data.masks, or leave it empty",
        )
    for stem in sorted(matched):
        if len(masks[stem]) > 1:
            raise UsageError(
                f"{some(masks[stem])} in {folder} are masks of the same image",
                "one mask per image",
                "remove the others",
            )
    notes = []
    if lost := [mask for stem, files in masks.items() if stem not in matched for mask in files]:
        n_masked = count(sum(stem in matched for stem in used), "image")
        notes.append(
            f"{count(len(lost), 'mask file matches', 'mask files match')} no image, such as {some(lost)}; "
            f"{n_masked} of {len(paths):,} found a mask at the same relative path"
        )
    if found.others:
        notes.append(
            f"{count(len(found.others), 'file')} in {folder} cannot be read as masks, such as {some(found.others)}"
        )
    notes += _shared([(path, masks[stem][0]) for path, stem in zip(paths, used, strict=True) if stem in matched])
    return [folder / masks[stem][0] if stem in matched else None for stem in used], notes


def masks_beside(images: Sequence[str], depth: int) -> tuple[dict[str, str], set[str], list[str]]:
    """Masks among the images of class folders, recognized by name or by a folder `masks` below the class.

    Args:
        images: all image files, relative to the data set's folder.
        depth: number of folders between the data set's folder and the class folders.

    Returns:
        The mask of each image by path; all masks, used or not, to be excluded from the images; notes.
    """
    plain: dict[str, list[str]] = defaultdict(list)
    candidates: dict[str, str] = {}
    for path in images:
        mask_of = _image_of(path, depth)
        if mask_of is None:
            plain[_stem(path, depth, IMAGE_FOLDERS)].append(path)
        else:
            candidates[path] = mask_of
    owned: dict[str, list[str]] = defaultdict(list)
    for mask, image in candidates.items():
        if image in plain:
            owned[image].append(mask)
    masks = {mask for files in owned.values() for mask in files}
    places = {_place(mask, depth) for mask in masks}
    lost = {path for path in candidates if path not in masks and _place(path, depth) in places}
    several = [files for files in owned.values() if len(files) > 1]
    single = [(path, files[0]) for image, files in owned.items() if len(files) == 1 for path in plain[image]]
    notes = []
    if single:
        files = sorted({mask for _, mask in single})
        notes.append(
            f"{count(len(files), 'file')} among the images: taken for their masks by name, such as {some(files)}"
        )
    if several:
        notes.append(
            f"{count(len(several), 'image has', 'images have')} several masks, such as {some(sorted(several)[0])}: "
            "none of them is used; merge them into one, or name a folder of masks by data.masks"
        )
    if lost:
        notes.append(
            f"{count(len(lost), 'mask file matches', 'mask files match')} no image, such as {some(sorted(lost))}"
        )
    return dict(single), masks | lost, notes + _shared(single)


def _stem(path: str, depth: int = 0, without: frozenset[str] = frozenset()) -> str:
    """A path in NFC without its suffix, and without folders of these names below the class folder."""
    *folders, name = path.split("/")
    kept = [folder for i, folder in enumerate(folders) if i <= depth or folder.casefold() not in without]
    return unicodedata.normalize("NFC", "/".join([*kept, name.rpartition(".")[0] or name]))


def _image_of(path: str, depth: int) -> str | None:
    """The stem of the image that a file is the mask of, judging by its name; None for an ordinary image."""
    stem = _stem(path, depth, IMAGE_FOLDERS | MASK_FOLDERS)
    return _without_mask(stem) or (stem if _mask_folder(path, depth) else None)


def _without_mask(stem: str) -> str | None:
    """The stem x for a file name such as x_mask; None for other names."""
    folder, slash, name = stem.rpartition("/")
    match = MASK_NAME.fullmatch(name)
    return f"{folder}{slash}{match['image'] or match['named']}" if match else None


def _mask_folder(path: str, depth: int) -> str | None:
    """The mask folder below the class folder that contains a file, if any."""
    folders = path.split("/")[:-1]
    for i, folder in enumerate(folders):
        if i > depth and folder.casefold() in MASK_FOLDERS:
            return "/".join(folders[: i + 1])
    return None


def _place(mask: str, depth: int) -> str:
    """The location of a mask: its mask folder, or the image folder."""
    return _mask_folder(mask, depth) or f"{mask.rpartition('/')[0]}/"


def _shared(pairs: Sequence[tuple[str, str]]) -> list[str]:
    images: dict[str, list[str]] = defaultdict(list)
    for image, mask in pairs:
        images[mask].append(image)
    if not (shared := [files for files in images.values() if len(files) > 1]):
        return []
    return [
        f"{count(len(shared), 'mask is', 'masks are')} shared by images of the same name, such as {some(shared[0])}"
    ]
