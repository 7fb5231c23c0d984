"""Reads untrusted NumPy files: one array of the expected type and shape, never unpickled."""

from pathlib import Path

import numpy as np

from tuner.base.untrusted import plain_file, require, require_finite, unsound

Side = int | None  # None: of any length
FILE_HEADER = 10_000  # bytes; numpy's own limit on what it parses


def read_array(file: Path, dtype: type[np.generic], shape: tuple[Side, ...], *, mapped: bool = True) -> np.ndarray:
    """The array in a `.npy` file.

    Args:
        file: the file.
        dtype: its type.
        shape: its shape; None for a side of any length.
        mapped: leave it on the disk, read as it is used; its values are not looked at then.

    Raises:
        MalformedError: it holds something else; where it is not mapped, also where a number in it is none.
    """
    plain_file(file)
    try:
        array: np.ndarray = np.lib.format.open_memmap(file, mode="r", max_header_size=FILE_HEADER)
    except Exception as error:  # a dozen types for what its header may be
        raise unsound(file, str(error), "an array as NumPy writes it") from None
    fits = array.ndim == len(shape) and all(b in (a, None) for a, b in zip(array.shape, shape, strict=True))
    wanted = " x ".join("any" if side is None else str(side) for side in shape)
    found = f"it holds {array.dtype} of {array.shape}"
    require(fits and array.dtype == np.dtype(dtype), file, found, f"{np.dtype(dtype)} of {wanted}")
    if mapped:
        return array
    array = np.array(array)
    require_finite(array, "it", file)
    return array
