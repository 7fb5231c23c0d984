"""Checks the names of a data set: distinct classes, and paths that name each image once and stay below the root."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePosixPath

from tuner.data.place import Place, is_absolute
from tuner.data.words import printable, some
from tuner.errors import UsageError


def check_names(folder: Place, paths: Sequence[str], class_names: Sequence[str], *, anywhere: bool = False) -> None:
    """Check the names of a listing.

    Args:
        folder: what the paths are relative to, for messages.
        paths: ascending.
        class_names: one name per class.
        anywhere: whether paths may be absolute, or addresses of their own; otherwise they must stay below the folder.

    Raises:
        UsageError: two classes have one name, a path leaves the folder, or an image is listed twice.
    """
    if twice := sorted(name for name, n in Counter(class_names).items() if n > 1):
        raise UsageError(f"two classes called {some(twice)} in {folder}", "distinct class names", "rename one")
    for path in paths:
        leaves = not anywhere if is_absolute(path) else ".." in path and ".." in PurePosixPath(path).parts
        if leaves:
            raise UsageError(f"image path {path!r} leaves {folder}", "paths below it", "correct the data set's listing")
    for path, following in pairwise(paths):
        if path == following:
            raise UsageError(
                f"image {printable(path)} is listed twice in {folder}", "each image once", "correct the listing"
            )
