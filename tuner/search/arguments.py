"""Arguments of the Python face, checked where they come in, so that a slip is not told as an error from far below."""

import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, SupportsIndex, cast

from tuner.base.folders import checked_path
from tuner.base.progress import Progress
from tuner.errors import UsageError
from tuner.store import Store, open_store

PROGRESS = ("say", "warn", "step", "live")


def opened(store: object) -> Store:
    """A store that was given as such, or by its address.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(store, str | Path):
        return open_store(os.fspath(store))
    if store is None or not callable(getattr(store, "get", None)) or not callable(getattr(store, "list", None)):
        what = f"the store is of type {type(store).__name__}"
        raise UsageError(what, "a folder, or s3://bucket/prefix", 'give one, such as store="runs"')
    return cast(Store, store)


def text(value: object, setting: str, example: str) -> str:
    """A value that has to be a text.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(value, str):
        raise UsageError(f"{setting}={value!r}", "a text", f'give one, such as "{example}"')
    return value


def whole(value: object, setting: str, example: int) -> int:
    """A whole number, of Python or numpy, as one of Python.

    Raises:
        UsageError: it is something else.
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(cast(SupportsIndex, value))
    except TypeError:
        todo = f"give one, such as {setting}={example}"
        raise UsageError(f"{setting}={value!r}", "a whole number", todo) from None


def names(value: Iterable[str], setting: str, example: str) -> list[str]:
    """Several texts in a list or another sequence.

    Raises:
        UsageError: it is one text alone, or something else.
    """
    listed = None if isinstance(value, str | bytes) or not isinstance(value, Iterable) else list(value)
    if listed is None or not all(isinstance(name, str) for name in listed):
        raise UsageError(f"{setting}={value!r}", "a list of texts", f'write {setting}=["{example}"]')
    return listed


def numbers(value: object, setting: str) -> dict[str, float]:
    """Names with a number each.

    Raises:
        UsageError: it is no dictionary, or something in it is no number.
    """
    if not isinstance(value, Mapping):
        what = f"{setting}={value!r}"
        raise UsageError(what, "a dictionary of names and numbers", f'write {setting}={{"accuracy": 1.0}}')
    return {
        text(name, f"a name in {setting}", "accuracy"): _number(found, name, setting) for name, found in value.items()
    }


def image_files(images: object) -> tuple[list[Path], bool]:
    """Paths of images, and whether one was given alone.

    Raises:
        UsageError: it is no path and no list of paths.
    """
    if isinstance(images, str | os.PathLike):
        return [checked_path(images, "images")], True
    if isinstance(images, bytes) or not isinstance(images, Iterable):
        what = f"images={images!r}"
        raise UsageError(what, "the path of an image file, or a list of them", 'give one, such as "photo.png"')
    return [checked_path(image, "an image") for image in images], False


def reporting(progress: object, usual: Callable[[], Progress]) -> Progress:
    """Where to report progress.

    Raises:
        UsageError: it is no Progress.
    """
    if progress is None:
        return usual()
    if isinstance(progress, type) or not all(callable(getattr(progress, name, None)) for name in PROGRESS):
        todo = "give tuner.base.progress.Silent() to see nothing, or leave it out"
        raise UsageError(f"progress={progress!r}", f"an object with the methods {', '.join(PROGRESS)}", todo)
    return cast(Progress, progress)


def plain(value: Any) -> Any:
    """Settings as YAML has them: paths as texts, numpy's numbers and arrays as Python's."""
    if isinstance(value, Mapping):
        return {plain(name): plain(content) for name, content in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [plain(content) for content in value]
    return value


def _number(value: object, name: str, setting: str) -> float:
    try:
        if isinstance(value, bool | str | bytes):
            raise TypeError
        return float(cast(float, value))
    except (TypeError, ValueError):
        todo = f'write {setting}={{"{name}": 1.0}}'
        raise UsageError(f"{setting} has {value!r} for {name!r}", "a number", todo) from None
