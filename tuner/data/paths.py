"""Paths as tables write them, brought to what the files are called: separators, `./`, and letters with accents."""

import unicodedata
from pathlib import Path, PurePosixPath


def clean_path(path: str) -> str:
    r"""A relative path in its plain form: `.\a\0.png` and `./a//0.png` are `a/0.png`, letters composed (NFC)."""
    return unicodedata.normalize("NFC", str(PurePosixPath(path.replace("\\", "/"))))


def path_on_disk(folder: Path, path: str) -> str:
    """A listed path as the file is really called: as it stands there, in its plain form, or with letters decomposed.

    File names that macOS wrote are decomposed (NFD), what people type is not. The plain form if there is no such file.
    """
    plain = clean_path(path)
    spellings = (path, plain, unicodedata.normalize("NFD", plain))
    return next((spelling for spelling in spellings if (folder / spelling).is_file()), plain)
