"""Lists the data files below a folder, skipping hidden files and those of operating systems and tools."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from tuner.data.bucket import objects_of
from tuner.data.place import Place, S3Path
from tuner.data.suffixes import is_image
from tuner.errors import TunerError

LEFTOVERS = frozenset(
    {
        "__macosx",  # macOS's archiver
        "@eadir", "#recycle", "@recycle", "@recently-snapshot",  # network storage of Synology and QNAP
        "$recycle.bin", "system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini",  # Windows
        "lost+found",  # Linux's file system check
        "__pycache__",
    }
)  # fmt: skip


@dataclass
class Found:
    """The contents of a folder, as relative paths with forward slashes, ascending.

    Attributes:
        images: files with an image suffix, including broken links, which cause an error when they are read.
        others: all other files.
        folders: folders at every depth.
        leftovers: hidden and system folders, and hidden files that look like images; all skipped.
        loops: links to a folder above themselves, not followed.
    """

    images: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)

    def classes(self, depth: int) -> dict[str, list[str]]:
        """Folders that contain images at any depth, by their parent folder ("" for the top).

        Args:
            depth: depth of the folders below the top.
        """
        full = {"/".join(path.split("/")[: depth + 1]) for path in self.images if path.count("/") > depth}
        found: dict[str, list[str]] = {}
        for folder in sorted(full):
            found.setdefault(folder.rpartition("/")[0], []).append(folder)
        return found


def walk(root: Place, *, apart: Place | None = None) -> Found:
    """List a folder recursively; links to folders are followed, files are not opened.

    Args:
        root: the folder, or the place in a bucket.
        apart: a folder below `root` to skip.

    Raises:
        TunerError: a folder cannot be read; the message names it.
        StoreError: the bucket cannot be listed.
    """
    if isinstance(root, S3Path):
        return walk_bucket(root, apart)
    found = Found()
    try:
        _walk(root, "", (os.path.realpath(root),), found, os.path.realpath(apart) if isinstance(apart, Path) else None)
    except OSError as error:
        raise TunerError(
            f"folder {error.filename or root} cannot be read: {error.strerror or error}",
            "readable folders",
            "check its permissions",
        ) from error
    for names in vars(found).values():
        names.sort()
    return found


def walk_bucket(root: S3Path, apart: Place | None = None) -> Found:
    """As `walk`, of the objects below a place in a bucket. A key that ends with a slash is a folder, as programs that
    show buckets as folders write them.

    Raises:
        TunerError: there is nothing below the place.
        StoreError: the bucket cannot be listed.
    """
    found, folders, leftovers, is_empty = Found(), set[str](), set[str](), True
    start = f"{root.key}/" if root.key else ""
    skipped = f"{apart.key}/".removeprefix(start) if isinstance(apart, S3Path) and apart.bucket == root.bucket else None
    for entry in objects_of(root.bucket).list(start):
        is_empty = False
        path = entry.key.removeprefix(start)
        if not path or (skipped and path.startswith(skipped)):
            continue
        *above, name = path.split("/")
        hidden = next((i for i, part in enumerate(above) if is_leftover(part)), None)
        folders.update("/".join(above[: i + 1]) for i in range(len(above) if hidden is None else hidden))
        if hidden is not None:
            leftovers.add("/".join(above[: hidden + 1]))
        elif is_leftover(name):
            if is_image(path):
                leftovers.add(path)
        elif name:
            (found.images if is_image(path) else found.others).append(path)
    if is_empty:
        raise TunerError(
            f"the bucket {root.bucket} has nothing below {start or 'its top'}",
            "objects whose names begin so",
            f"check the address {root}, whole folder names and upper and lower case",
        )
    found.folders, found.leftovers = list(folders), list(leftovers)
    for names in vars(found).values():
        names.sort()
    return found


def is_leftover(name: str) -> bool:
    """Whether a name is hidden, or reserved by an operating system or tool."""
    return name.startswith(".") or name.casefold() in LEFTOVERS


def _walk(folder: Path, prefix: str, above: tuple[str, ...], found: Found, apart: str | None) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            path, here = prefix + entry.name, Path(entry.path)
            known = here if entry.is_symlink() else entry  # an entry saves a disk access
            is_folder = known.is_dir()
            if is_leftover(entry.name):
                if is_folder or is_image(path):
                    found.leftovers.append(path)
            elif not is_folder:
                is_file = known.is_file() or not here.exists()  # not a pipe or device, which would block a reader
                (found.images if is_image(path) and is_file else found.others).append(path)
            elif (real := os.path.realpath(here)) in above:
                found.loops.append(path)
            elif real != apart:
                found.folders.append(path)
                _walk(here, path + "/", (*above, real), found, apart)
