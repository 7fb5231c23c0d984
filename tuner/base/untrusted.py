"""Reads untrusted files: only regular files, within size limits, validated before use.

Nothing in them is executed and no reference in them followed. Any defect raises a `MalformedError` that names the file.
"""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import numpy as np
from numpy.typing import NDArray

from tuner.base.files import read_bounded
from tuner.base.plain_json import InvalidJsonError, parse_object
from tuner.base.text import one_line
from tuner.errors import TunerError

JSON_BYTES = 64_000_000
HEADER_BYTES = 10_000_000
TODO = "check the path, or recreate it; if you received it from others, ask them for a complete copy"
Shape = tuple[int, ...]
Settings = TypeVar("Settings")
DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
SIZES = {"BF16": 2, **{name: np.dtype(kind).itemsize for name, kind in DTYPES.items()}}


class MalformedError(TunerError):
    """A file or folder that is damaged, of another kind, or malicious."""


def unsound(where: object, problem: str, expected: str = "a complete, unchanged file") -> MalformedError:
    """The error for such a file; its contents are shown sanitized and shortened."""
    return MalformedError(f"{where} cannot be used: {shown(problem, 300)}", expected, TODO)


def shown(value: object, longest: int = 60) -> str:
    """A value from such a file for a message, without control and direction characters."""
    return one_line(value if isinstance(value, str) else _start_of(value), longest)


def _start_of(value: object) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or deep nesting
        return f"a {type(value).__name__}"


def plain_file(path: Path, *, within: Path | None = None) -> Path:
    """The path, if it is a regular file; not a folder, pipe or device, on which a reader could block.

    Args:
        path: the file, or a link to it.
        within: a folder that links must not point outside of.

    Raises:
        MalformedError: it is anything else.
    """
    try:
        if not path.is_file():
            raise unsound(path, "it is not a regular file" if os.path.lexists(path) else "it is missing", "a file")
        if within is not None and not path.resolve().is_relative_to(within.resolve()):
            raise unsound(path, "it is a link that points outside its folder", "the file itself")
    except (OSError, RuntimeError) as error:  # a link to itself, a folder without permission
        raise unsound(path, str(error), "a readable file") from None
    return path


def read_bytes(path: Path, limit_bytes: int) -> bytes:
    """The contents of a regular file.

    Raises:
        MalformedError: it is not a readable regular file, or larger than the limit.
    """
    try:
        return read_bounded(plain_file(path), limit_bytes)
    except OSError as error:
        raise unsound(path, error.strerror or str(error), "a readable file of the usual size") from None


def read_json(path: Path, limit_bytes: int = JSON_BYTES) -> dict[str, Any]:
    """The object in a JSON file; see `parse_json`."""
    return parse_json(read_bytes(path, limit_bytes), path)


def parse_json(data: bytes | str, where: object) -> dict[str, Any]:
    """The object in a JSON text; see `parse_object`.

    Raises:
        MalformedError: it is anything else.
    """
    try:
        return parse_object(data)
    except InvalidJsonError as error:
        raise unsound(where, f"it {error}", "a JSON object") from None


def tensor_table(path: Path) -> dict[str, tuple[str, Shape]]:
    """Type and shape of each tensor of a safetensors file, whose tensors must fill it exactly.

    Raises:
        MalformedError: it is not such a file.
    """
    size = plain_file(path).stat().st_size
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(HEADER_BYTES, size - 8):
                raise unsound(path, "it has no header", "a safetensors file")
            header = parse_json(file.read(length), path)
    except OSError as error:
        raise unsound(path, error.strerror or str(error), "a readable file") from None
    header.pop("__metadata__", None)
    table, ends = {}, [(0, 0)]
    for name, entry in header.items():
        try:
            dtype, shape, (start, end) = entry["dtype"], tuple(entry["shape"]), entry["data_offsets"]
            fits = end - start == math.prod(shape) * SIZES[dtype] and min(shape, default=0) >= 0
            if not (fits and all(type(n) is int for n in (*shape, start, end))):
                raise ValueError
        except (LookupError, TypeError, ValueError):
            raise unsound(path, f"its tensor {shown(name)} is {shown(entry)}", "a safetensors file") from None
        table[name] = (dtype, shape)
        ends.append((start, end))
    ends.sort()
    if any(a[1] != b[0] for a, b in zip(ends, [*ends[1:], (size - 8 - length, 0)], strict=True)):
        raise unsound(path, "its tensors do not fill it", "a safetensors file, complete and with nothing added")
    return table


def read_tensors(
    path: Path, expected: Mapping[str, tuple[str, Shape]], *, finite: bool = True
) -> dict[str, NDArray[Any]]:
    """Read exactly these tensors into memory and check that they are finite.

    Args:
        path: a safetensors file.
        expected: type, such as "F32", and shape of each by its name.
        finite: False where NaN means something in it; the caller then checks the values.

    Raises:
        MalformedError: a tensor is missing, unexpected, not finite, or of another type or shape.
    """
    table = tensor_table(path)
    for name in [*expected, *table]:
        if table.get(name) != expected.get(name):
            raise unsound(
                path,
                f"tensor {shown(name)} is {_described(table.get(name))}",
                f"it to be {_described(expected.get(name))}",
            )
    from safetensors.numpy import load_file

    try:
        tensors: dict[str, NDArray[Any]] = load_file(path)
    except Exception as error:  # safetensors raises its own exception, and others for unforeseen input
        raise unsound(path, str(error), "a safetensors file") from None
    for name, values in tensors.items() if finite else ():
        require_finite(values, f"tensor {name}", path)
    return tensors


def require_finite(values: NDArray[Any], what: str, where: object) -> None:
    """Refuse NaN, infinite numbers, and booleans other than 0 and 1.

    Raises:
        MalformedError: there is such a value.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise unsound(where, f"{what} holds values that are not finite", "finite numbers")
    if values.dtype.kind == "b" and values.size and values.view(np.uint8).max() > 1:
        raise unsound(where, f"{what} holds values that are neither true nor false", "zeros and ones")


def require(condition: object, where: object, problem: str, expected: str) -> None:
    """Raise an error unless a condition holds.

    Raises:
        MalformedError: the condition does not hold.
    """
    if not condition:
        raise unsound(where, problem, expected)


def is_whole(value: object, low: int, high: int) -> TypeGuard[int]:
    """Whether a JSON value is an integer within bounds; true and false are not."""
    return type(value) is int and low <= value <= high


def texts(value: object, longest: int = 4096) -> TypeGuard[list[str]]:
    """Whether a JSON value is a list of strings of bounded length, such as paths or class names."""
    return isinstance(value, list) and bool(value) and all(isinstance(t, str) and len(t) <= longest for t in value)


def pair(value: object, low: int, high: int) -> tuple[int, int] | None:
    """Two integers within bounds, such as the sides of a grid; None for anything else."""
    if isinstance(value, Sequence) and len(value) == 2 and all(is_whole(side, low, high) for side in value):
        return value[0], value[1]
    return None


def _described(entry: tuple[str, Shape] | None) -> str:
    return "absent" if entry is None else f"{entry[0]} of {' x '.join(map(str, entry[1])) or 'one value'}"


def settings_from(kind: type[Settings], values: object, where: object, *, free: Sequence[str] = ()) -> Settings:
    """A dataclass of settings from a JSON object; fields that an earlier version did not have keep their defaults.

    Args:
        kind: the dataclass.
        values: the object.
        where: its source, for error messages.
        free: fields whose bounds the caller checks.

    Raises:
        MalformedError: it has an unknown field, or a value of another type or out of bounds.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if not isinstance(values, dict) or not values.keys() <= fields.keys():
        raise unsound(where, f"its settings are {shown(values)}", f"settings of {kind.__name__}")
    for name, value in values.items():
        known, rules = type(fields[name].default), fields[name].metadata
        if not (type(value) is known or (known is float and type(value) is int)):
            raise unsound(where, f"{name} is {shown(value)}", f"a value such as {fields[name].default!r}")
        low, high, choices = (rules.get(rule) for rule in ("low", "high", "choices"))
        too_far = (low is not None and value < low) or (high is not None and value > high)
        if name not in free and (too_far or (choices and value not in choices)):
            allowed = f"one of {', '.join(map(str, choices))}" if choices else f"from {low} to {high}"
            raise unsound(where, f"{name} is {shown(value)}", allowed)
    return kind(**values)
