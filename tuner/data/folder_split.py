"""Detects a folder of images that is already split: train/, val/ and test/ with class folders in each.

Ambiguous folders, which look like a split or like masks but may be something else, are refused.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from tuner.data.mask_files import IMAGE_FOLDERS, MASK_FOLDERS
from tuner.data.place import Place
from tuner.data.walk import Found
from tuner.data.words import printable, some
from tuner.errors import UsageError

SIDES = {
    "train": "train", "training": "train",
    "val": "val", "valid": "val", "validation": "val", "dev": "val", "eval": "val", "evaluation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
NAME = re.compile(rf"({'|'.join(SIDES)})[ _-]?(?:set|data|images?)?")  # such as training_set
LONG_NAME = re.compile(rf"(?:.*[ _.-])?{NAME.pattern}(?:[ _.-]?\(?\d+\)?)?")  # such as seg_train, train (1)
LAYOUT = "class folders with images, or train/ and test/ (and val/) with the same class folders in each"


def split_folders(root: Place, found: Found) -> dict[str, str]:
    """The side (`train`, `val` or `test`) of each folder directly below `root`; {} if they are classes.

    A class may be called train (or test): without the other part of a split beside it, it is a class.

    Raises:
        UsageError: the folders are ambiguous.
    """
    tops = found.classes(0).get("", [])
    below = {top: {_name(folder) for folder in folders} for top, folders in found.classes(1).items()}
    sides = {folder: side for folder in tops if (side := _side(folder))} or _long_named(tops, below)
    if doubled := [f"{folder}/{folder}" for folder in sides if below.get(folder) == {folder}]:
        raise UsageError(
            f"{root} holds {_slashed(doubled)}, a folder in one of its own name",
            LAYOUT,
            "move the inner folder to the place of the outer one",
        )
    kinds = set(sides.values())
    if not sides or (len(kinds) == 1 and len(sides) < len(tops)):
        return {}
    if "train" not in kinds or len(kinds) == 1:
        raise UsageError(
            f"{root} holds {_slashed(sides)} alone of the folders of a split",
            LAYOUT,
            f"put the others beside it, or set data.root={root / tops[0]} if its folders are the classes",
        )
    if others := [folder for folder in tops if folder not in sides]:
        raise UsageError(
            f"{root} holds the split folders {_slashed(sides)} and beside them {_slashed(others)}",
            LAYOUT,
            "move folders that are not part of the split elsewhere, or rename a class whose name looks like a split",
        )
    if len(kinds) < len(sides):
        raise UsageError(f"{root} holds {_slashed(sides)}, two of them of one side", LAYOUT, "merge or remove one")
    train = next(folder for folder, side in sides.items() if side == "train")
    if loose := [path for path in found.images if path.count("/") == 1]:
        raise UsageError(
            f"the split folders {_slashed(sides)} of {root} hold images outside class folders, such as {some(loose)}",
            LAYOUT,
            f"sort them into class folders, or set data.root={root / train} to cut test images from it",
        )
    return sides


def refuse_unclear(root: Place, found: Found, depth: int) -> None:
    """Refuse folders that only look like classes: masks beside images, or a split within each class.

    Args:
        root: the data set's folder.
        found: its contents.
        depth: number of folders between `root` and the class folders; 0 for class folders directly below `root`.

    Raises:
        UsageError: there are such folders; the message names them and the settings to use.
    """
    subfolders: dict[str, set[str]] = defaultdict(set)
    for path in found.folders:
        parent, _, name = path.rpartition("/")
        subfolders[parent].add(name)
    for classes in found.classes(depth).values():
        names = {_name(folder) for folder in classes}
        images = next((folder for folder in classes if _name(folder).casefold() in IMAGE_FOLDERS), None)
        for folder in classes:
            below = subfolders[folder]
            if _name(folder).casefold() in MASK_FOLDERS and (images or below & (names - {_name(folder)})):
                apart = f"set data.root={root / (images or 'IMAGES')} data.masks={root / folder}"
                raise UsageError(
                    f"{root} holds a folder {printable(folder)}/ that looks like masks, not like a class",
                    "class folders with images in data.root, masks in a folder of their own",
                    "move the masks to a folder of their own (MASKS/train/CLASS/...) and set data.masks"
                    if depth
                    else apart,
                )
            within = {side for name in below if (side := _side(name))}
            if "train" in within and len(within) > 1:
                turned = "swap the folder levels (train/CLASS/... and test/CLASS/...), or write a data.split_file"
                raise UsageError(
                    f"class folder {printable(folder)}/ of {root} contains a split itself: {_slashed(sorted(below))}",
                    LAYOUT,
                    turned if len(classes) > 1 else f"set data.root={root / folder}",
                )


def describe_split(sides: dict[str, str], held_out: str) -> str:
    """A sentence on the detected split, for the notes."""
    names = {side: printable(folder) + "/" for folder, side in sides.items()}
    text = f"{', '.join(names.values())} are read as a split: {names[held_out]} is held out as test"
    if held_out == "test" and "val" in names:
        text += f", {names['val']} is trained on like {names['train']}, as the search cuts validation from train itself"
    return text


def _long_named(tops: Sequence[str], below: Mapping[str, set[str]]) -> dict[str, str]:
    """The side of folders such as seg_train/ and seg_test/; {} if they do not contain the same subfolders.

    A class may be called "bullet train", so the name alone is not sufficient.
    """
    sides = {folder: side for folder in tops if (side := _side(folder, LONG_NAME))}
    if "train" not in sides.values() or len(set(sides.values())) == 1:
        return {}
    inside = [below.get(folder, set()) - {folder} for folder in sides]
    doubled = all(below.get(folder) == {folder} for folder in sides)
    return sides if doubled or set.intersection(*inside) else {}


def _side(name: str, pattern: re.Pattern[str] = NAME) -> str:
    match = pattern.fullmatch(name.casefold())
    return SIDES[match[1]] if match else ""


def _name(folder: str) -> str:
    return folder.rpartition("/")[2]


def _slashed(folders: Iterable[str]) -> str:
    return some([folder + "/" for folder in folders])
