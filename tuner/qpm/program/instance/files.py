"""A problem as one .npz file, so that it can be solved elsewhere; read with size limits and without pickle."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.base.untrusted import MalformedError, read_bytes, require, shown, unsound
from tuner.errors import UsageError
from tuner.qpm.program.instance.problem import Problem

FORMAT = 1
LARGEST_BYTES = 500_000_000  # of all arrays together: twenty times those of 2048 candidates and 1000 classes
_EXPECTED = "a problem as tuner.qpm.program.save writes it"
_HEADER_BYTES = 1_000  # of an array in the file: its type and shape
# kind and number of dimensions of each array; optional ones are left out where the problem has none
_ARRAYS = {
    "format": ("i", 0),
    "relevance": ("f", 2),
    "pair_i": ("i", 1),
    "pair_j": ("i", 1),
    "pair_penalty": ("f", 1),
    "n_features": ("i", 0),
    "features_per_class": ("i", 0),
}
_OPTIONAL = {"bias": ("f", 1), "forced_c": ("i", 1), "forced_d": ("i", 1), "weight": ("f", 0)}


def save(problem: Problem, path: Path | str) -> None:
    """Write a problem to a file, compressed; a file that is there is replaced as a whole.

    The arrays are float64 and int64: format, relevance, pair_i, pair_j, pair_penalty, n_features, features_per_class,
    and where the problem has them bias, forced_c, forced_d and weight.

    Args:
        problem: the instance.
        path: where to; the name is taken as it is.

    Raises:
        UsageError: the arrays are larger than `load` reads.
    """
    i, j, penalty = problem.pairs
    sizes = {"n_features": problem.n_features, "features_per_class": problem.features_per_class}
    arrays: dict[str, Any] = {"relevance": problem.relevance, "pair_i": i, "pair_j": j, "pair_penalty": penalty}
    arrays |= {name: np.int64(size) for name, size in {"format": FORMAT, **sizes}.items()}
    if problem.bias is not None:
        arrays["bias"] = problem.bias
    if problem.forced is not None:
        arrays["forced_c"], arrays["forced_d"] = problem.forced
    if problem.weight is not None:
        arrays["weight"] = np.float64(problem.weight)
    size = sum(array.nbytes for array in arrays.values())
    if size > LARGEST_BYTES - _HEADER_BYTES * len(arrays):
        raise UsageError(
            f"a problem of {size:,} bytes", f"less than {LARGEST_BYTES:,} bytes", "select candidates first"
        )
    path = Path(path)
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with new.open("wb") as file:
            np.savez_compressed(file, **arrays)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def load(path: Path | str) -> Problem:
    """Read a problem from a file that `save` has written; nothing in it is executed.

    Args:
        path: the file.

    Raises:
        MalformedError: it is missing, damaged, too large, or something else.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(io.BytesIO(read_bytes(path, LARGEST_BYTES))) as archive:
            arrays = {name: _array(archive, name, path) for name in _names(archive, path)}
    except MalformedError:
        raise
    except Exception as error:  # zipfile and NumPy raise many kinds for what they cannot read
        raise unsound(path, str(error), _EXPECTED) from None
    version = int(arrays["format"])
    require(version == FORMAT, path, f"it is of format {version}", f"format {FORMAT}")
    both = ("forced_c" in arrays) == ("forced_d" in arrays)
    require(both, path, "it has only one side of the forced class pairs", _EXPECTED)
    try:
        return Problem(
            relevance=arrays["relevance"],
            pairs=(arrays["pair_i"], arrays["pair_j"], arrays["pair_penalty"]),
            bias=arrays.get("bias"),
            n_features=int(arrays["n_features"]),
            features_per_class=int(arrays["features_per_class"]),
            forced=(arrays["forced_c"], arrays["forced_d"]) if "forced_c" in arrays else None,
            weight=float(arrays["weight"]) if "weight" in arrays else None,
        )
    except UsageError as error:
        raise unsound(path, error.what, error.expected) from None


def _names(archive: zipfile.ZipFile, path: Path) -> list[str]:
    """The arrays in the file: all that a problem needs, each once, nothing else, and not too large together."""
    files = [info.filename for info in archive.infolist()]
    names = [file.removesuffix(".npy") for file in files]
    missing = [name for name in _ARRAYS if name not in names]
    require(not missing, path, f"it has no {', '.join(missing)}", _EXPECTED)
    other = [file for file, name in zip(files, names, strict=True) if file == name or name not in _ARRAYS | _OPTIONAL]
    require(not other, path, f"it holds {shown(other)}", _EXPECTED)
    require(len(set(names)) == len(names), path, "it holds an array twice", _EXPECTED)
    size = sum(info.file_size for info in archive.infolist())
    require(size <= LARGEST_BYTES, path, f"it unpacks to {size:,} bytes", f"at most {LARGEST_BYTES:,} bytes")
    return names


def _array(archive: zipfile.ZipFile, name: str, path: Path) -> NDArray[Any]:
    """One array, whose header is checked before memory is asked for."""
    kind, dimensions = (_ARRAYS | _OPTIONAL)[name]
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        require(read is not None, path, f"{name} is of NumPy format {shown(version)}", _EXPECTED)
        assert read is not None
        shape, fortran, dtype = read(file, max_header_size=_HEADER_BYTES)
        fits = dtype.kind == kind and dtype.itemsize <= 8 and len(shape) == dimensions
        require(fits, path, f"{name} is {shown(f'{dtype} {shape}')}", f"{dimensions} dimensions of kind {kind!r}")
        size = int(np.prod(shape, dtype=object)) * dtype.itemsize
        left = archive.getinfo(f"{name}.npy").file_size - file.tell()
        require(size == left, path, f"{name} has {left:,} bytes for {shown(str(shape))}", f"{size:,} bytes")
        data = file.read(size)
        require(len(data) == size, path, f"{name} ends early", f"{size:,} bytes")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
