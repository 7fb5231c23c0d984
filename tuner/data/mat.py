"""Reads variables of MATLAB files up to version 7."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuner.errors import TunerError


def read_mat(file: Path, names: Sequence[str], expected: str, todo: str) -> dict[str, Any]:
    """The variables of a MATLAB file, without dimensions of length 1.

    Args:
        file: its path.
        names: of the variables.
        expected: for errors, what was expected.
        todo: for errors, what to do.

    Raises:
        TunerError: it cannot be read, or lacks a variable.
    """
    from scipy.io import loadmat

    if not file.is_file():
        raise TunerError(f"{file} is missing", expected, todo)
    try:
        content: dict[str, Any] = loadmat(file, squeeze_me=True, variable_names=list(names))
    except Exception as error:  # loadmat raises a dozen types for damaged files
        raise TunerError(f"{file} cannot be read: {error}", expected, todo) from error
    if missing := set(names) - content.keys():
        raise TunerError(f"{file} lacks {', '.join(sorted(missing))}", expected, todo)
    return content
