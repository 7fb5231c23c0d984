"""The bootstrap over seeds and images: how the values of a front's members would vary if all were measured again.

Members are measured on the same images and with the same seeds, so they are resampled together: what makes all members
better or worse at once says nothing about which of them is better (docs/explanation/method.md#beyond-noise).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tuner.base.metric import METRICS
from tuner.front import uncertainty
from tuner.front.pareto import Objective

Array = npt.NDArray[np.float64]
Drawn = dict[str, Array]

DRAWS = 1000


@dataclass(frozen=True)
class Run:
    """One evaluation of a member.

    Args:
        seed: of its training.
        split: seed of the cut between train and validation; runs with the same one are measured on the same images.
        values: metric -> value in its unit.
        images: metric -> (n_images,) values of the single images in its unit, NaN where it does not apply; those of
            which `values` holds the mean. Metrics that are no mean over images are absent.
    """

    seed: int
    split: int
    values: Mapping[str, float]
    images: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)


def resample(
    members: Mapping[int, Sequence[Run]], metrics: Sequence[str], *, draws: int = DRAWS, seed: int = 0
) -> dict[int, Drawn]:
    """Means of each member over its runs, under resampling of seeds and images (Efron 1979).

    Images are resampled within their split, seeds by the pairs (seed, split). With n runs, deviations of the resampled
    means are stretched by sqrt(n / (n - 1)), since the plain bootstrap understates their variance by that factor.

    Args:
        members: their runs, at least one member and one run each.
        metrics: those to draw. One that a member lacks in some run is left out for it.
        draws: their number.
        seed: of the draws.

    Returns:
        For each member, metric -> (draws,) means in the metric's unit.
    """
    everything = {(run.seed, run.split): None for runs in members.values() for run in runs}
    place = {pair: i for i, pair in enumerate(sorted(everything))}
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(place), np.full(len(place), 1 / len(place)), size=draws).astype(np.float64)
    sizes = {run.split: len(values) for runs in members.values() for run in runs for values in run.images.values()}
    images = {split: rng.multinomial(n, np.full(n, 1 / n), size=draws) for split, n in sorted(sizes.items())}
    weights = {split: drawn.astype(np.float32) for split, drawn in images.items()}
    found = {}
    for member, runs in sorted(members.items()):
        shares = _shares(counts[:, [place[run.seed, run.split] for run in runs]], rng)
        found[member] = _means(runs, metrics, shares, weights, rng)
    return found


def non_dominated(
    members: Mapping[int, Drawn], rivals: Mapping[int, Drawn], objectives: Sequence[Objective]
) -> dict[int, float]:
    """The share of draws in which each member is dominated neither by another one nor by a rival.

    Equals do not dominate each other. Who lacks an objective is left out.
    """
    known = [m for m, drawn in members.items() if all(o.name in drawn for o in objectives)]
    everyone = [*known, *(r for r, drawn in rivals.items() if all(o.name in drawn for o in objectives))]
    if not known:
        return {}
    found = dict(members) | dict(rivals)
    signs = [1.0 if o.direction == "max" else -1.0 for o in objectives]
    goodness = np.stack(
        [[s * found[m][o.name] for o, s in zip(objectives, signs, strict=True)] for m in everyone]
    )  # (everyone, objectives, draws)
    dominated = np.zeros((len(known), goodness.shape[2]), np.bool_)
    for i in range(len(known)):
        gains = goodness - goodness[i]
        dominated[i] = ((gains >= 0).all(axis=1) & (gains > 0).any(axis=1)).any(axis=0)
    return dict(zip(known, (1.0 - dominated.mean(axis=1)).tolist(), strict=True))


def has_noise(metric: str, run: Run) -> bool:
    """Whether draws say how a run's value of a metric varies with the images; of a size they need not."""
    known = metric in run.images or any(part in run.images for part in _parts(metric, run))
    return known or uncertainty.error(metric, run.values) is not None


def _shares(counts: Array, rng: np.random.Generator) -> Array:
    """(draws, n_runs) weights of a member's runs, which sum to 1; drawn anew where none of its runs was drawn."""
    n = counts.shape[1]
    empty = counts.sum(axis=1) == 0
    counts[empty] = rng.multinomial(n, np.full(n, 1 / n), size=int(empty.sum()))
    return np.asarray(counts / counts.sum(axis=1, keepdims=True), np.float64)


def _means(
    runs: Sequence[Run],
    metrics: Sequence[str],
    shares: Array,
    weights: Mapping[int, npt.NDArray[np.float32]],
    rng: np.random.Generator,
) -> Drawn:
    found = {}
    n = len(runs)
    stretch = np.sqrt(n / (n - 1)) if n > 1 else 1.0
    for name in metrics:
        if not all(name in run.values for run in runs):
            continue
        base = np.array([run.values[name] for run in runs])
        common = rng.standard_normal(len(shares))  # the same images, whatever the seed
        shifts = np.stack([_shift(name, run, weights, common) for run in runs], axis=1)
        found[name] = base.mean() + stretch * (shares @ base - base.mean()) + (shares * shifts).sum(axis=1)
    return found


def _shift(name: str, run: Run, weights: Mapping[int, npt.NDArray[np.float32]], common: Array) -> Array:
    """(draws,) how a run's value changes with the images: by resampling them, or for a share by its binomial error."""
    if name in run.images:
        return _resampled(run.images[name], weights[run.split]) - _average(run.images[name])
    parts = _parts(name, run)
    if any(part in run.images for part in parts):
        values = [run.values[part] + _shift(part, run, weights, common) for part in parts]
        return geometric_mean(values) - geometric_mean([np.float64(run.values[part]) for part in parts])
    error = uncertainty.error(name, run.values)
    return common * error if error is not None else np.zeros(len(common))


def _parts(metric: str, run: Run) -> list[str]:
    """The metrics that a composite one is made of, of those that a run has."""
    return [part for part in (METRICS[metric].parts if metric in METRICS else ()) if part in run.values]


def geometric_mean(parts: Sequence[Array | np.float64]) -> Array:
    """A composite metric from its parts, where a negative value counts as 0 (docs/explanation/method.md#metrics)."""
    product = np.prod(np.maximum(np.stack([np.asarray(part) for part in parts]), 0.0), axis=0)
    return np.asarray(product ** (1 / len(parts)))


def _resampled(values: npt.NDArray[np.float32], weights: npt.NDArray[np.float32]) -> Array:
    """(draws,) means over resampled images, of those to which the metric applies."""
    known = np.isfinite(values)
    total, number = weights @ np.where(known, values, 0), weights @ known.astype(np.float32)
    mean = np.divide(total, number, out=np.full(len(total), _average(values), np.float32), where=number > 0)
    return mean.astype(np.float64)


def _average(values: npt.NDArray[np.float32]) -> float:
    known = np.isfinite(values)
    return float(values[known].mean(dtype=np.float64)) if known.any() else 0.0
