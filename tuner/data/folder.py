"""Reads a folder of class/image files: the simplest format for your own data set."""

import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from tuner.data.dataset import Dataset, Entry, assemble, need_folder
from tuner.data.folder_split import describe_split, refuse_unclear, split_folders
from tuner.data.mask_files import masks_beside
from tuner.data.place import Place, place_of
from tuner.data.settings import DataConfig
from tuner.data.suffixes import is_image, is_text
from tuner.data.walk import Found, walk
from tuner.data.words import count, printable, some
from tuner.errors import UsageError

LAYOUT = "a folder with one subfolder of images per class"


def load_folder(config: DataConfig) -> Dataset:
    """Read `root/<class>/**/<image>`; classes are the folder names in ascending order.

    If `root` contains train/ and test/ (or val/), or the like, the classes are the folders in these, which also define
    the split. Ignored files are named in the notes.

    Raises:
        TunerError: the folder does not exist.
        UsageError: fewer than two classes, a class whose files cannot be read, or an ambiguous folder structure.
    """
    root = need_folder(place_of(config.root, "data.root"), LAYOUT, "set data.root")
    found = walk(root, apart=place_of(config.masks, "data.masks") if config.masks else None)
    sides = split_folders(root, found)
    depth = 1 if sides else 0
    refuse_unclear(root, found, depth)
    masks, no_images, on_masks = masks_beside(found.images, depth)
    if config.masks and no_images:
        on_masks = [
            f"{count(len(no_images), 'file')} left out as masks, not those of data.masks: {some(sorted(no_images))}"
        ]
    images = [path for path in found.images if path not in no_images and path.count("/") > depth]
    classes = {path: _class(path, depth) for path in images}
    names = sorted(set(classes.values()))
    notes = [*_left_out(root, found, classes, depth), *on_masks]
    if len(names) < 2:
        raise UsageError(
            f"{root} has {count(len(names), 'class folder')} with images",
            f"{LAYOUT}; at least two classes",
            f"set data.root={root / images[0].split('/')[0]} if they are in there"
            if images and not depth
            else "set data.root",
        )
    held_out = "test" if "test" in sides.values() else "val"
    if sides and not config.split_file:
        notes.insert(0, describe_split(sides, held_out))
    labels = {name: label for label, name in enumerate(names)}
    entries = []
    for path, name in classes.items():
        side = sides[path.split("/")[0]] != held_out if sides else None
        mask = root / masks[path] if path in masks else None
        entries.append(Entry(path, labels[name], side, mask))
    return assemble(config, root, entries, names, notes=notes)


def _class(path: str, depth: int) -> str:
    """The class folder's name in NFC, since train/ and test/ may come from different systems."""
    return unicodedata.normalize("NFC", printable(path.split("/")[depth]))


def _left_out(root: Place, found: Found, classes: dict[str, str], depth: int) -> list[str]:
    """Notes on ignored files and folders, one sentence each.

    Raises:
        UsageError: a class folder has files, but no readable image.
    """
    notes = []
    if found.others:
        kinds = Counter(PurePosixPath(path).suffix.lower() or "without suffix" for path in found.others)
        told = some([f"{n:,} {suffix}" for suffix, n in kinds.most_common()])
        notes.append(
            f"{count(len(found.others), 'file')} left out, as no image can be read from them ({told}), "
            f"such as {some(found.others)}"
        )
    if loose := [path for path in found.images if path.count("/") <= depth]:
        notes.append(f"{count(len(loose), 'image')} left out, as they lie in no class folder, such as {some(loose)}")
    if found.leftovers:
        notes.append(f"skipped what is hidden or belongs to the system: {some(found.leftovers)}")
    if found.loops:
        notes.append(f"links to a folder above themselves are not followed: {some(found.loops)}")
    if odd := [folder for folder in found.folders if is_image(folder)]:
        notes.append(f"{count(len(odd), 'folder')} named like an image, such as {some(odd)}: read as any folder")
    empty: list[str] = []
    texts: list[str] = []
    for folder in _without_images(found.folders, classes, depth):
        inside = [path for path in (*found.images, *found.others) if path.startswith(folder + "/")]
        (texts if inside else empty).append(folder)
        if files := [path for path in inside if not is_text(path)]:
            raise UsageError(
                f"class folder {root / printable(folder)} holds no image that can be read, but {some(files)}",
                LAYOUT,
                "convert the images (to .png, for example), or remove the folder",
            )
    if texts:
        notes.append(f"{count(len(texts), 'folder holds', 'folders hold')} text only and no class: {some(texts)}")
    if empty:
        notes.append(f"{count(len(empty), 'class folder is', 'class folders are')} empty and no class: {some(empty)}")
    return notes


def _without_images(folders: Sequence[str], classes: dict[str, str], depth: int) -> list[str]:
    """Class folders without a usable image."""
    full = {"/".join(path.split("/")[: depth + 1]) for path in classes}
    return [folder for folder in folders if folder.count("/") == depth and folder not in full]
