"""Recognizes image files by their suffix, ignoring case, if Pillow can read the format."""

from functools import cache
from pathlib import PurePosixPath

IMAGE_SUFFIXES = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jif", ".jfif", ".mpo", ".jp2", ".j2k", ".j2c", ".jpx", ".png", ".apng", ".gif",
        ".bmp", ".dib", ".webp", ".avif", ".tif", ".tiff", ".tga", ".ppm", ".pgm", ".pbm", ".pnm",
    }
)  # fmt: skip
TEXT_SUFFIXES = frozenset(
    {".txt", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml", ".md", ".html", ".log"}
)  # a folder with only these is not a class: annotations, labels


def is_image(path: str) -> bool:
    """Whether a file counts as an image, judging by its suffix only."""
    return PurePosixPath(path).suffix.casefold() in _readable()


def is_text(path: str) -> bool:
    """Whether a file is a text file, judging by its suffix."""
    return PurePosixPath(path).suffix.casefold() in TEXT_SUFFIXES


@cache
def _readable() -> frozenset[str]:
    from PIL import Image

    unread = {".avif"} - Image.registered_extensions().keys()  # missing in some builds of Pillow
    return IMAGE_SUFFIXES - unread
