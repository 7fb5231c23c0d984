"""Normalizes paths from tables: separators, `./`, and Unicode composition."""

import unicodedata
from pathlib import Path, PurePosixPath


def clean_path(path: str) -> str:
    r"""A normalized relative path: `.\a\0.png` and `./a//0.png` become `a/0.png`, in NFC."""
    return unicodedata.normalize("NFC", str(PurePosixPath(path.replace("\\", "/"))))


def path_on_disk(folder: Path, path: str) -> str:
    """The actual path of a listed file: as listed, normalized, or in NFD.

    File names from macOS are decomposed (NFD), typed names are not. Returns the normalized path if no file exists.
    """
    plain = clean_path(path)
    spellings = (path, plain, unicodedata.normalize("NFD", plain))
    return next((spelling for spelling in spellings if (folder / spelling).is_file()), plain)
