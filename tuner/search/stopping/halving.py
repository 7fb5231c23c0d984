"""Asynchronous successive halving at one rung (Li et al. 2020), for any ranking: which trials go on?

Pure: the answer depends on the values given, on no clock and no order of arrival.
"""

from dataclasses import dataclass, field

import moocore
import numpy as np
import numpy.typing as npt

from tuner.front.constraint import ROUNDING
from tuner.search.stopping.forecast import at_the_end
from tuner.search.stopping.ranking import Losses, NonDominated, Ranking, constrained

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Halving:
    """Lets the best of the trials known so far go on.

    Args:
        eta: the best `1 / eta` of the trials go on, rounded to the nearest number, one at least.
        startup_trials: none goes on while fewer are known.
        ranking: which trial is better, by what each is worth at the end, or will be (`forecast.py`).
    """

    eta: float
    startup_trials: int
    ranking: Ranking = field(default_factory=NonDominated)

    def going_on(self, rung: Losses, ended: Losses, exact: tuple[bool, ...], traits: Losses) -> Flags:
        """Which trials are trained to their end, as far as is known; the others pause.

        A trial that no other beats at the rung goes on, whatever its place, if an objective is exact: such a value does
        not change any more, so the trial may be the best for it in the end. A trial that is expected to violate a
        constraint is behind all that are not, and goes on for no such reason: it would be no member.

        Args:
            rung: (n_trials, n_objectives + n_constraints), losses at the rung, less is better, and how far the trials
                are beyond the bound of each constraint; up to 0 satisfies it.
            ended: of the same shape, at the end; a row of NaN where a trial has not come there.
            exact: (n_objectives,), which objectives are known from the start, such as a size.
            traits: (n_trials, n_traits), see `forecast.traits_of`.

        Returns:
            (n_trials,), true for those that have gone on already too, unless others are before them by now.
        """
        if len(rung) < max(1, self.startup_trials):
            return np.zeros(len(rung), dtype=np.bool_)
        n = len(exact)
        worth = at_the_end(rung, ended, traits)
        violations = np.where(worth[:, n:] > ROUNDING, worth[:, n:], 0.0).sum(axis=1)
        places = constrained(self.ranking, worth[:, :n], violations)
        found: Flags = places < max(1, round(len(rung) / self.eta))
        if any(exact):
            unbeaten = np.asarray(moocore.is_nondominated(rung[:, :n], keep_weakly=True))  # equal ones are all kept
            found |= unbeaten & (violations == 0.0)
        return found
