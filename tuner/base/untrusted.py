"""Files that somebody else may have written: opened only as plain files, read within limits, checked before use.

Nothing in them is executed or followed, and whatever is wrong with one is an `MalformedError` that names it.
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
TODO = "check the path, or make it again; if it came from others, ask them for a whole copy"
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
    """A file or folder that is damaged, of something else, or meant to do harm."""


def unsound(
    where: object, problem: str, expected: str = "what was written there, whole and unchanged"
) -> MalformedError:
    """The error for one of them; what it holds is shown in plain characters and not at length."""
    return MalformedError(f"{where} cannot be used: {shown(problem, 300)}", expected, TODO)


def shown(value: object, longest: int = 60) -> str:
    """A value from such a file, for a message: in characters that neither steer a terminal nor turn a text."""
    return one_line(value if isinstance(value, str) else _start_of(value), longest)


def _start_of(value: object) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits, or a deep nest
        return f"a {type(value).__name__}"


def plain_file(path: Path, *, within: Path | None = None) -> Path:
    """The path, if a plain file is there: no folder, pipe or device, which a reader might wait on for ever.

    Args:
        path: the file; a link to one is followed.
        within: the folder that a link must not lead out of.

    Raises:
        MalformedError: it is something else.
    """
    try:
        if not path.is_file():
            raise unsound(path, "it is no plain file" if os.path.lexists(path) else "it is missing", "a file")
        if within is not None and not path.resolve().is_relative_to(within.resolve()):
            raise unsound(path, "it is a link that leads out of its folder", "the file itself")
    except (OSError, RuntimeError) as error:  # a link to itself, a folder that may not be entered
        raise unsound(path, str(error), "a readable file") from None
    return path


def read_bytes(path: Path, limit_bytes: int) -> bytes:
    """A plain file's content.

    Raises:
        MalformedError: it is no file that can be read, or larger than the limit.
    """
    try:
        return read_bounded(plain_file(path), limit_bytes)
    except OSError as error:
        raise unsound(path, error.strerror or str(error), "a readable file of the usual size") from None


def read_json(path: Path, limit_bytes: int = JSON_BYTES) -> dict[str, Any]:
    """The object in a JSON file; see `parse_json`."""
    return parse_json(read_bytes(path, limit_bytes), path)


def parse_json(data: bytes | str, where: object) -> dict[str, Any]:
    """The object in a JSON text, as `parse_object` has it.

    Raises:
        MalformedError: it is anything else.
    """
    try:
        return parse_object(data)
    except InvalidJsonError as error:
        raise unsound(where, f"it {error}", "a JSON object") from None


def tensor_table(path: Path) -> dict[str, tuple[str, Shape]]:
    """Type and shape of each tensor of a safetensors file, whose header covers the file exactly.

    Raises:
        MalformedError: it is no such file.
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


def read_tensors(path: Path, expected: Mapping[str, tuple[str, Shape]]) -> dict[str, NDArray[Any]]:
    """Exactly these tensors, finite and in memory.

    Args:
        path: a safetensors file.
        expected: type, such as "F32", and shape of each by its name.

    Raises:
        MalformedError: a tensor is missing, of another type or shape, not finite, or nobody asked for it.
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
    except Exception as error:  # safetensors raises an exception of its own, and others for what it does not foresee
        raise unsound(path, str(error), "a safetensors file") from None
    for name, values in tensors.items():
        require_finite(values, f"tensor {name}", path)
    return tensors


def require_finite(values: NDArray[Any], what: str, where: object) -> None:
    """Refuse numbers that are none, and truth values that are neither true nor false.

    Raises:
        MalformedError: there is one.
    """
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise unsound(where, f"{what} holds values that are not finite", "finite numbers")
    if values.dtype.kind == "b" and values.size and values.view(np.uint8).max() > 1:
        raise unsound(where, f"{what} holds values that are neither true nor false", "zeros and ones")


def require(condition: object, where: object, problem: str, expected: str) -> None:
    """Refuse what breaks a rule.

    Raises:
        MalformedError: the condition does not hold.
    """
    if not condition:
        raise unsound(where, problem, expected)


def is_whole(value: object, low: int, high: int) -> TypeGuard[int]:
    """Whether a value from JSON is a whole number within bounds; true and false are none."""
    return type(value) is int and low <= value <= high


def texts(value: object, longest: int = 4096) -> TypeGuard[list[str]]:
    """Whether a value from JSON is a list of texts of bounded length, such as paths or the names of classes."""
    return isinstance(value, list) and bool(value) and all(isinstance(t, str) and len(t) <= longest for t in value)


def pair(value: object, low: int, high: int) -> tuple[int, int] | None:
    """Two whole numbers within bounds, such as the sides of a grid; None for anything else."""
    if isinstance(value, Sequence) and len(value) == 2 and all(is_whole(side, low, high) for side in value):
        return value[0], value[1]
    return None


def _described(entry: tuple[str, Shape] | None) -> str:
    return "absent" if entry is None else f"{entry[0]} of {' x '.join(map(str, entry[1])) or 'one value'}"


def settings_from(kind: type[Settings], values: object, where: object, *, free: Sequence[str] = ()) -> Settings:
    """A dataclass of settings from a JSON object; what an earlier version did not know yet keeps its default.

    Args:
        kind: the dataclass.
        values: the object.
        where: what it is from, for the error.
        free: fields whose bounds the caller checks.

    Raises:
        MalformedError: it has a field that the dataclass lacks, or a value of another type or out of bounds.
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
