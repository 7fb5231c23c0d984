"""Which files count as images: by their suffix, whatever its case, and only if Pillow can read it here."""

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
)  # a folder of these alone is no class: annotations, labels


def is_image(path: str) -> bool:
    """Whether a file is taken for an image: by its suffix alone, it is not opened."""
    return PurePosixPath(path).suffix.casefold() in _readable()


def is_text(path: str) -> bool:
    """Whether a file holds text and no image, by its suffix."""
    return PurePosixPath(path).suffix.casefold() in TEXT_SUFFIXES


@cache
def _readable() -> frozenset[str]:
    from PIL import Image

    unread = {".avif"} - Image.registered_extensions().keys()  # not every build of Pillow has it
    return IMAGE_SUFFIXES - unread
