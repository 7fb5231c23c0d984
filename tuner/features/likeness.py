"""The distance of an image from the training images, from its tokens: can its prediction be trusted?

Two things are compared: which tokens there are (mean and deviation over all places), and where they are (means over
coarse blocks of places). A Gaussian of each is fitted to the training images, exact along the directions in which they
differ most and round in all others (probabilistic PCA, Tipping & Bishop 1999). Distances are Mahalanobis', in units of
what is usual for training images; the larger of the two counts.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tuner.base.untrusted import require
from tuner.features.rows import Rows

Floats = NDArray[np.floating[Any]]

IMAGES = 4000  # at most this many training images are looked at, spread evenly
AXES = 64  # directions kept exactly
BLOCKS = 4  # blocks per side
DIRECTIONS = 32  # of a token, within a block
FEWEST = 10  # with fewer training images nothing can be said
FEW = 50  # with fewer, strange images may look near: their usual directions are hardly known
FOLDS = 4  # each training image is measured by Gaussians fitted to the other folds
LEVEL = 99.9  # the limit is the distance that so many percent of the training images keep,
MOST, FARTHER = 95.0, 1.5  # but at most so many times what this percentage keep: a few odd ones do not set it
MARKS = 1001  # quantiles of the left-out distances that are kept
TINY = 1e-12
LOOSE = 1e-3  # by how much axes kept as float32 may miss being orthonormal
_PARTS = [f"{of}.{name}" for of in ("which", "where") for name in ("mean", "axes", "variances", "rest")]
NAMES = (*_PARTS, "directions", "usual", "left_out", "grid", "n_images")


@dataclass(frozen=True)
class Distance:
    """Where an image lies.

    Args:
        value: its distance from the training images, about 1 for usual ones.
        limit: beyond it an image is unlike the training images.
        within: share of the left-out training images that are within the limit, percent.
        farther_than: share of the left-out training images that are nearer, percent.
        n_images: how many training images were left out and measured.
    """

    value: float
    limit: float
    within: float
    farther_than: float
    n_images: int

    @property
    def unlike(self) -> bool:
        """Whether the image is unlike the training images."""
        return self.value > self.limit


@dataclass(frozen=True, eq=False)
class Gaussian:
    """Points in `dim` dimensions.

    Args:
        mean: (dim,).
        axes: (n_axes, dim), orthonormal rows.
        variances: (n_axes,) along the axes.
        rest: (1,) variance in each other direction.
    """

    mean: Floats
    axes: Floats
    variances: Floats
    rest: Floats

    @classmethod
    def fit(cls, points: Floats) -> Self:
        """To points (n, dim)."""
        n, dim = points.shape
        values, vectors = np.linalg.eigh(np.cov(points.T, bias=True))
        n_axes = min(AXES, n // 4, dim - 1)
        rest = max(float(values[:-n_axes].mean()), TINY + 1e-6 * float(values[-1]))
        top = slice(None, -n_axes - 1, -1)
        return cls(points.mean(0), vectors[:, top].T, np.maximum(values[top], rest), np.array([rest]))

    def check(self, dim: int, where: object) -> None:
        """Refuse what is no Gaussian in so many dimensions.

        Raises:
            MalformedError: naming `where` it is from.
        """
        n_axes = len(self.variances) if self.variances.ndim == 1 else -1
        shapes = (self.mean.shape, self.axes.shape, self.rest.shape) == ((dim,), (n_axes, dim), (1,))
        require(shapes and 0 < n_axes <= AXES, where, "a Gaussian is of other sizes", f"one in {dim} dimensions")
        positive = (self.variances > 0).all() and (self.rest > 0).all()
        require(positive, where, "a variance is not above 0", "variances above 0")
        require(_is_orthonormal(self.axes), where, "the axes of a Gaussian are not orthonormal", "orthonormal axes")

    def distances(self, points: Floats) -> Floats:
        """(n, dim) -> (n,)."""
        centred = points - self.mean
        along = centred @ self.axes.T
        beside = np.maximum((centred**2).sum(1) - (along**2).sum(1), 0.0)
        return np.asarray(np.sqrt((along**2 / self.variances).sum(1) + beside / self.rest))


@dataclass(frozen=True, eq=False)
class Likeness:
    """The training images, and how far they lie from each other.

    Args:
        which: Gaussian of the means and deviations of their tokens.
        where: Gaussian of their coarse layouts.
        directions: (n_directions, token dim), what of a token enters a layout.
        usual: (2,) median distances of left-out training images from both.
        left_out: ascending distances of left-out training images, at most `MARKS` quantiles of them.
        grid: tokens per column and per row.
        n_images: how many training images were looked at.
    """

    which: Gaussian
    where: Gaussian
    directions: Floats
    usual: Floats
    left_out: Floats
    grid: tuple[int, int]
    n_images: int

    @classmethod
    def fit(cls, tokens: Rows | NDArray[Any], rows: NDArray[np.integer[Any]], grid: tuple[int, int]) -> Self | None:
        """Learn the training images.

        Args:
            tokens: (n_images, n_patches, dim), such as a bank's; read a few images at a time.
            rows: which of them are training images.
            grid: tokens per column and per row.

        Returns:
            None if there are fewer than `FEWEST`.
        """
        if len(rows) < FEWEST:
            return None
        rows = spread(rows, IMAGES)
        parts = [_described(tokens[rows[i : i + 64]], grid) for i in range(0, len(rows), 64)]
        sums, blocks = (np.concatenate(part) for part in zip(*parts, strict=True))
        with threadpool_limits(1):  # threads would add up in an order that changes
            return cls._fit(sums, blocks, grid)

    @classmethod
    def _fit(cls, sums: Floats, blocks: Floats, grid: tuple[int, int]) -> Self:
        _, vectors = np.linalg.eigh(np.cov(blocks.reshape(-1, blocks.shape[-1]).T, bias=True))
        directions = vectors[:, : -DIRECTIONS - 1 : -1].T
        points = (sums, _layout(blocks, directions))
        apart = np.empty((2, len(sums)))
        fold = np.arange(len(sums)) % FOLDS
        for k in range(FOLDS):
            for row, of in zip(apart, points, strict=True):
                row[fold == k] = Gaussian.fit(of[fold != k]).distances(of[fold == k])
        usual = np.maximum(np.median(apart, axis=1), TINY)
        distances = (apart / usual[:, None]).max(axis=0)
        marks = np.quantile(distances, np.linspace(0, 1, min(len(distances), MARKS)), method="higher")
        which, where = (Gaussian.fit(of) for of in points)
        return cls(which, where, directions, usual, marks, grid, len(sums))

    def distances(self, tokens: NDArray[Any]) -> list[Distance]:
        """Where images with these tokens lie, (n_images, n_patches, dim)."""
        sums, blocks = _described(tokens, self.grid)
        apart = [self.which.distances(sums), self.where.distances(_layout(blocks, self.directions))]
        values = (np.stack(apart) / self.usual[:, None]).max(axis=0)
        limit = self.limit
        nearer = 100 * np.searchsorted(self.left_out, [limit, *values]) / len(self.left_out)
        within, *shares = nearer.tolist()
        found = zip(values.tolist(), shares, strict=True)
        return [Distance(value, limit, within, share, self.n_images) for value, share in found]

    @property
    def limit(self) -> float:
        """The distance beyond which an image is unlike the training images, with some room where they are few."""
        room = 1 + self.n_images**-0.5
        nearly_all, most = np.quantile(self.left_out, (LEVEL / 100, MOST / 100), method="higher")
        return float(room * min(nearly_all, FARTHER * most))

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """As float32 arrays by name, to be stored."""
        parts: dict[str, Any] = {f"which.{name}": part for name, part in vars(self.which).items()}
        parts |= {f"where.{name}": part for name, part in vars(self.where).items()}
        parts |= {"directions": self.directions, "usual": self.usual, "left_out": self.left_out}
        parts |= {"grid": self.grid, "n_images": [self.n_images]}
        return {name: np.ascontiguousarray(part, dtype=np.float32) for name, part in parts.items()}

    @classmethod
    def of(cls, arrays: dict[str, Floats], dim: int, grid: tuple[int, int], where: object) -> Self:
        """What `arrays` gave.

        Args:
            arrays: finite, by name.
            dim: width of a token.
            grid: tokens per column and per row.
            where: the file they are from, for the error.

        Raises:
            MalformedError: they are not those of a `Likeness` of such tokens.
        """
        require(set(arrays) == set(NAMES), where, f"it holds {', '.join(sorted(arrays))}", ", ".join(NAMES))
        exact = {name: part.astype(np.float64) for name, part in arrays.items()}
        known, (n_images,) = exact["left_out"], exact["n_images"] if exact["n_images"].shape == (1,) else (0,)
        n_directions = min(DIRECTIONS, dim)
        blocks = math.prod(min(BLOCKS, side) for side in grid)
        for holds, problem in (
            (exact["grid"].tolist() == list(grid), "the grid is another one"),
            (n_images >= FEWEST and n_images == int(n_images), f"{n_images:g} images were looked at"),
            (known.shape == (min(int(n_images), MARKS),), "the left-out distances are not so many"),
            (known.min(initial=1.0) >= 0 and (np.diff(known) >= 0).all(), "the left-out distances do not ascend"),
            (exact["usual"].shape == (2,) and (exact["usual"] > 0).all(), "the usual distances are not above 0"),
            (exact["directions"].shape == (n_directions, dim), "the directions are not so many, or not so wide"),
            (_is_orthonormal(exact["directions"]), "the directions are not orthonormal"),
        ):
            require(holds, where, problem, "how training images lie, as it was measured")
        which, places = (
            Gaussian(*(exact[f"{of}.{name}"] for name in ("mean", "axes", "variances", "rest")))
            for of in ("which", "where")
        )
        which.check(2 * dim, where)
        places.check(blocks * n_directions, where)
        return cls(which, places, exact["directions"], exact["usual"], known, grid, int(n_images))


def _is_orthonormal(rows: Floats) -> bool:
    return bool(np.abs(rows @ rows.T - np.eye(len(rows))).max(initial=0.0) < LOOSE)


def spread(rows: NDArray[Any], most: int) -> NDArray[Any]:
    """At most `most` of the rows, evenly spaced, always the same ones."""
    if len(rows) <= most:
        return rows
    return np.asarray(rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)])


def _described(tokens: NDArray[Any], grid: tuple[int, int]) -> tuple[Floats, Floats]:
    """Mean and deviation of the tokens over all places, (n, 2 dim), and their means over blocks, (n, blocks, dim)."""
    values = np.asarray(tokens, dtype=np.float32)
    sums = np.concatenate([values.mean(1), values.std(1)], axis=1).astype(np.float64)
    rows, columns = (np.array_split(np.arange(side), min(BLOCKS, side)) for side in grid)
    places = values.reshape(len(values), *grid, -1)
    means = [places[:, r[0] : r[-1] + 1, c[0] : c[-1] + 1].mean((1, 2)) for r in rows for c in columns]
    return sums, np.stack(means, axis=1).astype(np.float64)


def _layout(blocks: Floats, directions: Floats) -> Floats:
    return np.asarray((blocks @ directions.T).reshape(len(blocks), -1))
