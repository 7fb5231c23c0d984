"""Converts X (pooled features, token maps or image paths) to the `Samples` of the method."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tuner.estimator.errors import InputError
from tuner.features.samples import Samples

KINDS = "pooled features (n, dim), token maps (n, tokens, dim) or (n, height, width, dim), or image paths"


def n_axes(X: Any) -> int:
    """The number of axes of X; 2 for what has none, such as lists of unequal length, which validation refuses."""
    if hasattr(X, "ndim"):
        return int(X.ndim)
    try:
        return np.asarray(X).ndim
    except ValueError:
        return 2


def holds_paths(X: Any) -> bool:
    """Whether X is a list, an array or a column of texts or paths."""
    if isinstance(X, str | os.PathLike):
        return True
    if isinstance(X, list | tuple):
        return bool(X) and all(isinstance(x, str | os.PathLike) for x in X)
    if getattr(X, "ndim", 0) not in (1, 2) or not hasattr(X, "shape") or hasattr(X, "toarray"):
        return False
    if len(X.shape) == 2 and X.shape[1] != 1:
        return False
    values = np.asarray(X).ravel()
    return values.dtype.kind == "U" or (
        values.dtype.kind == "O" and values.size > 0 and all(isinstance(x, str | os.PathLike) for x in values)
    )


def image_paths(X: Any) -> list[Path]:
    """X as paths of image files.

    Raises:
        InputError: it is something else, or empty.
    """
    if isinstance(X, str | os.PathLike):
        raise InputError(f"X={os.fspath(X)!r} is one path", "a list or array of paths", "write [path]")
    if not holds_paths(X):
        raise InputError(
            f"X is {described(X)}, and a backbone is named",
            "a list or array of image paths, which the backbone reads",
            "give paths, or leave out the backbone where X is features",
        )
    return [Path(x) for x in (X if isinstance(X, list | tuple) else np.asarray(X).ravel())]


def token_maps(X: NDArray[Any], grid: tuple[int, int] | None) -> tuple[NDArray[Any], tuple[int, int]]:
    """Tokens (n, n_patches, dim) as float16 or float32, and the grid they lie on.

    Args:
        X: numbers of two, three or four axes, finite.
        grid: tokens per column and per row, for three axes; None: a square.

    Raises:
        InputError: the tokens do not fill the grid, or are too large for float32.
    """
    if not X.size:
        n_tokens = 1 if X.ndim == 2 else int(np.prod(X.shape[1:-1]))
        raise InputError(
            f"X has {len(X)} images of {n_tokens} tokens of {X.shape[-1]} features", "at least one of each", "correct X"
        )
    if X.ndim == 2:
        sides, tokens = (1, 1), X[:, None, :]
    elif X.ndim == 3:
        sides, tokens = _sides(X.shape[1], grid), X
    elif X.ndim == 4:
        sides, tokens = (int(X.shape[1]), int(X.shape[2])), X.reshape(len(X), -1, X.shape[-1])
    else:
        raise InputError(f"X is {described(X)}", KINDS, "bring X into one of these shapes")
    if tokens.dtype != np.float16:
        largest = np.finfo(np.float32).max
        if tokens.size and max(tokens.max(), -tokens.min()) > largest:
            raise InputError(f"X holds values beyond {largest:.3g}", "values that fit into float32", "scale X")
        tokens = tokens.astype(np.float32)
    return np.require(tokens, requirements=["C", "W"]), sides


def samples_of(
    patches: NDArray[Any],
    cls: NDArray[Any] | None,
    labels: NDArray[np.int64] | None,
    grid: tuple[int, int],
    n_classes: int,
) -> Samples:
    """Tokens as the method takes them; without labels each is 0."""
    known = np.zeros(len(patches), dtype=np.int64) if labels is None else labels
    return Samples(
        patches=torch.from_numpy(patches),
        cls=None if cls is None else torch.from_numpy(cls),
        labels=torch.from_numpy(known),
        masks=None,
        has_mask=None,
        grid=grid,
        n_classes=n_classes,
    )


def _sides(n_tokens: int, grid: tuple[int, int] | None) -> tuple[int, int]:
    if grid is None:
        side = math.isqrt(n_tokens)
        if side * side != n_tokens:
            raise InputError(
                f"X has {n_tokens} tokens per image, which is no square number",
                "a square grid of tokens, or a named one",
                "set grid=(height, width), or give X as (n, height, width, dim)",
            )
        return side, side
    height, width = plain_grid(grid) or (0, 0)
    if min(height, width) < 1 or height * width != n_tokens:
        raise InputError(
            f"grid={grid!r}, and X has {n_tokens} tokens per image",
            "grid=(height, width) with height * width tokens",
            "correct grid, or set grid=None for a square",
        )
    return height, width


def plain_grid(grid: Any) -> tuple[int, int] | None:
    """Tokens per column and per row as plain whole numbers; None if it is no pair of them."""
    sides = list(grid) if isinstance(grid, list | tuple | np.ndarray) else []
    if len(sides) != 2 or not all(isinstance(side, int | np.integer) and not isinstance(side, bool) for side in sides):
        return None
    return int(sides[0]), int(sides[1])


def described(X: Any) -> str:
    """Type and shape of X, for a message."""
    shape = getattr(X, "shape", None)
    return f"a {type(X).__name__}" + ("" if shape is None else f" of shape {tuple(shape)}")
