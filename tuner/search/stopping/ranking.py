"""Ranking rules: which of several trials is better when there is more than one objective.

A rule is apart from the scheduler that uses it (`halving.py`), and pure: plain arrays in, places out.
"""

from dataclasses import dataclass
from typing import Protocol

import moocore
import numpy as np
import numpy.typing as npt

from tuner.front.hypervolume import MARGIN

Losses = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


class Ranking(Protocol):
    """Puts trials in order."""

    def places(self, losses: Losses) -> Places:
        """The place of each trial; equal trials share one.

        Args:
            losses: (n_trials, n_objectives), finite, less is better; at least one objective.

        Returns:
            (n_trials,), how many trials are better than each: 0 is the best.
        """
        ...


@dataclass(frozen=True)
class NonDominated:
    """By non-dominated sorting (Deb et al. 2002), within a front by hypervolume contribution (Emmerich et al. 2005).

    The objectives count by the range that they have among the trials, so units do not matter. Of one objective it is
    the usual order.
    """

    def places(self, losses: Losses) -> Places:
        """See `Ranking.places`."""
        if len(losses) == 0:
            return np.empty(0, dtype=np.int64)
        distinct, which = np.unique(losses, axis=0, return_inverse=True)
        keys = np.stack(_ranks_and_shares(_scaled(distinct)), axis=1)
        kinds, of = np.unique(keys, axis=0, return_inverse=True)
        of = of.reshape(-1)[which.reshape(-1)]
        better = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=len(kinds)))[:-1]])
        return better[of].astype(np.int64)


def constrained(ranking: Ranking, losses: Losses, violations: Losses) -> Places:
    """The places where trials have to satisfy constraints: those that do come first, by a ranking of them alone.

    The others follow by how much they violate (constrained domination, Deb et al. 2002).

    Args:
        ranking: of the trials that satisfy all constraints.
        losses: (n_trials, n_objectives), finite, less is better.
        violations: (n_trials,), 0 where a trial satisfies all constraints.

    Returns:
        (n_trials,), as `Ranking.places`.
    """
    places, good = np.empty(len(losses), dtype=np.int64), violations <= 0.0
    places[good] = ranking.places(losses[good])
    _, order, counts = np.unique(violations[~good], return_inverse=True, return_counts=True)
    places[~good] = good.sum() + (np.cumsum(counts) - counts)[order.reshape(-1)]
    return places


def _ranks_and_shares(scaled: Losses) -> tuple[Losses, Losses]:
    """The front of each of some distinct trials, and its contribution to that front, negative; less is better."""
    if scaled.shape[1] == 1:
        return scaled[:, 0], np.zeros(len(scaled))
    ranks = np.asarray(moocore.pareto_rank(scaled))
    shares = np.zeros(len(scaled))
    for rank in np.unique(ranks):
        front = ranks == rank
        shares[front] = moocore.hv_contributions(scaled[front], ref=np.full(scaled.shape[1], 1.0 + MARGIN))
    return ranks.astype(np.float64), -np.round(shares, 9)  # equal but for rounding is equal, on any machine


def _scaled(losses: Losses) -> Losses:
    """Each objective from 0, the best of these trials, to 1, the worst; 0 where all are equal."""
    low = losses.min(axis=0)
    span = losses.max(axis=0) - low
    scaled: Losses = (losses - low) / np.where(span > 0.0, span, 1.0)
    return scaled
