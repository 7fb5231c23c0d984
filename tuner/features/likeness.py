"""How far an image lies from the training images, by its tokens alone: whether a decision on it can be relied upon.

An image is summed up by the mean and the deviation of its tokens over all places. A Gaussian is fitted to the sums of
the training images: exact along the directions in which they differ most, round in all others (probabilistic PCA,
Tipping & Bishop 1999). The distance is Mahalanobis', over the root of the number of dimensions: usual images have 1.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

IMAGES = 4000  # at most this many training images are looked at, spread evenly
AXES = 64  # directions kept exactly
FEWEST = 10  # with fewer training images nothing can be said
FOLDS = 4  # each training image is measured by a Gaussian fitted to the other folds
LEVEL = 99.9  # the limit is the distance that so many percent of the training images keep
MARKS = 1001  # quantiles of the left-out distances that are kept


@dataclass(frozen=True)
class Distance:
    """Where an image lies.

    Args:
        value: its distance from the training images, about 1 for usual ones.
        limit: the distance within which `LEVEL` percent of the left-out training images lie.
        farther_than: share of the left-out training images that are nearer, percent.
        n_images: how many training images were left out and measured.
    """

    value: float
    limit: float
    farther_than: float
    n_images: int

    @property
    def unlike(self) -> bool:
        """Whether the image is unlike the training images."""
        return self.value > self.limit


@dataclass(frozen=True, eq=False)
class Likeness:
    """The Gaussian of the training images, and how far they lie from it themselves when left out.

    Args:
        mean: (dim,) of the sums.
        axes: (n_axes, dim), orthonormal rows.
        variances: (n_axes,) along the axes.
        rest: variance in each other direction.
        left_out: ascending distances of left-out training images, at most `MARKS` quantiles of them.
        n_images: how many images these are of.
    """

    mean: Floats
    axes: Floats
    variances: Floats
    rest: float
    left_out: Floats
    n_images: int

    @classmethod
    def fit(cls, tokens: NDArray[Any], rows: NDArray[np.integer[Any]]) -> Self | None:
        """Learn the training images.

        Args:
            tokens: (n_images, n_patches, dim), such as a bank's; read a few images at a time.
            rows: which of them are training images.

        Returns:
            None if there are fewer than `FEWEST`.
        """
        if len(rows) < FEWEST:
            return None
        if len(rows) > IMAGES:
            rows = rows[np.linspace(0, len(rows) - 1, IMAGES).round().astype(np.int64)]
        sums = np.concatenate([summed_up(tokens[rows[i : i + 64]]) for i in range(0, len(rows), 64)])
        fold = np.arange(len(sums)) % FOLDS
        distances = np.empty(len(sums))
        for k in range(FOLDS):
            distances[fold == k] = _distances(sums[fold == k], *_gaussian(sums[fold != k]))
        marks = np.quantile(distances, np.linspace(0, 1, min(len(distances), MARKS)), method="higher")
        mean, axes, variances, rest = _gaussian(sums)
        return cls(mean, axes, variances, rest, marks, len(sums))

    def distances(self, tokens: NDArray[Any]) -> list[Distance]:
        """Where images with these tokens lie, (n_images, n_patches, dim)."""
        limit = float(np.quantile(self.left_out, LEVEL / 100, method="higher"))
        values = _distances(summed_up(tokens), self.mean, self.axes, self.variances, self.rest)
        nearer = 100 * np.searchsorted(self.left_out, values) / len(self.left_out)
        found = zip(values.tolist(), nearer.tolist(), strict=True)
        return [Distance(value, limit, share, self.n_images) for value, share in found]

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """As float32 arrays by name, to be stored."""
        parts = {"mean": self.mean, "axes": self.axes, "variances": self.variances, "left_out": self.left_out}
        parts |= {"rest": np.array(self.rest), "n_images": np.array(self.n_images)}
        return {name: np.ascontiguousarray(part, dtype=np.float32) for name, part in parts.items()}

    @classmethod
    def of(cls, arrays: dict[str, Floats]) -> Self:
        """What `arrays` gave."""
        parts = {name: arrays[name].astype(np.float64) for name in ("mean", "axes", "variances", "left_out")}
        return cls(**parts, rest=arrays["rest"].item(), n_images=int(arrays["n_images"].item()))


def summed_up(tokens: NDArray[Any]) -> NDArray[np.float64]:
    """Mean and deviation of the tokens over all places, (n, 2 dim)."""
    values = np.asarray(tokens, dtype=np.float32)
    return np.concatenate([values.mean(1), values.std(1)], axis=1).astype(np.float64)


def _gaussian(sums: Floats) -> tuple[Floats, Floats, Floats, float]:
    """Mean, axes, variances along them, and the variance in each other direction."""
    n, dim = sums.shape
    mean = sums.mean(0)
    values, vectors = np.linalg.eigh(np.cov(sums.T, bias=True))
    n_axes = min(AXES, n // 4, dim - 1)
    rest = max(float(values[:-n_axes].mean()), 1e-12 + 1e-6 * float(values[-1]))
    return mean, vectors[:, : -n_axes - 1 : -1].T, np.maximum(values[: -n_axes - 1 : -1], rest), rest


def _distances(sums: Floats, mean: Floats, axes: Floats, variances: Floats, rest: float) -> Floats:
    centred = sums - mean
    along = centred @ axes.T
    beside = np.maximum((centred**2).sum(1) - (along**2).sum(1), 0.0)
    return np.asarray(np.sqrt(((along**2 / variances).sum(1) + beside / rest) / centred.shape[1]))
