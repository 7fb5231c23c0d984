"""Asynchronous successive halving at one rung (Li et al. 2020), for any ranking: which trials go on?

Pure: the answer depends on the values given, on no clock and no order of arrival.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from tuner.front.constraint import ROUNDING
from tuner.search.stopping.forecast import at_the_end
from tuner.search.stopping.ranking import Losses, NonDominated, Places, Ranking, constrained

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Verdict:
    """What is decided on a trial at the rung.

    Attributes:
        goes_on: whether it is trained to the end.
        place: 1 is the best of the trials compared.
        n_trials: trials compared, itself included.
        n_kept: how many of them may go on.
        held_by: why it goes on in spite of its place; empty: no such reason.
    """

    goes_on: bool
    place: int
    n_trials: int
    n_kept: int
    held_by: str = ""


@dataclass(frozen=True)
class Halving:
    """Lets the best of the trials known so far go on.

    Args:
        eta: the best `1 / eta` of the trials go on, rounded up.
        startup_trials: with fewer earlier trials than this, each goes on.
        ranking: which trial is better, by what each is worth at the end, or will be (`forecast.py`).
    """

    eta: float = 3.0
    startup_trials: int = 5
    ranking: Ranking = field(default_factory=NonDominated)

    def judge(
        self, earlier: Losses, ended: Losses, own: Losses, exact: tuple[bool, ...], traits: Losses | None = None
    ) -> Verdict:
        """Decide on one trial.

        A trial that no earlier one beats at the rung goes on, whatever its place, if an objective is exact: such a
        value does not change any more, so the trial may be the best for it in the end. A trial that is expected to
        violate a constraint is behind all that are not, and goes on for no such reason: it would be no member.

        Args:
            earlier: (n_trials, n_objectives + n_constraints), losses of earlier trials at the rung, less is better, and
                how far they are beyond the bound of each constraint; up to 0 satisfies it.
            ended: of the same shape, those of the same trials at the end; NaN where one did not get there.
            own: (n_objectives + n_constraints,), those of the trial at the rung.
            exact: (n_objectives,), which objectives are known from the start, such as a size.
            traits: (n_trials + 1, n_traits), of all these trials, this one last; see `forecast.traits_of`.
        """
        n = len(exact)
        known = np.concatenate([earlier.reshape(-1, len(own)), own[None]])
        told = np.concatenate([ended.reshape(-1, len(own)), np.full((1, len(own)), np.nan)])
        places, violates = self.places(known, told, n, traits)
        place, n_kept = int(places[-1]) + 1, math.ceil(len(known) / self.eta)
        if len(known) <= self.startup_trials or place <= n_kept:
            return Verdict(True, place, len(known), n_kept)
        if any(exact) and not violates[-1] and not beaten(known[:-1, :n], own[:n]):
            return Verdict(True, place, len(known), n_kept, "no earlier trial beats it")
        return Verdict(False, place, len(known), n_kept)

    def first(self, rung: Losses, ended: Losses, exact: tuple[bool, ...], traits: Losses | None = None) -> Flags:
        """Which trials of many are trained to the end, as far as is known; the others pause.

        Args:
            rung: (n_trials, n_objectives + n_constraints), as `earlier` of `judge`.
            ended: of the same shape, as for `judge`.
            exact: (n_objectives,), as for `judge`: here too a trial that no other beats goes on.
            traits: (n_trials, n_traits), of these trials.

        Returns:
            (n_trials,), none while there are fewer than `startup_trials`.
        """
        if len(rung) < max(1, self.startup_trials):
            return np.zeros(len(rung), dtype=np.bool_)
        n = len(exact)
        places, violates = self.places(rung, ended, n, traits)
        found: Flags = places < round(len(rung) / self.eta)
        if any(exact):
            found |= ~violates & np.array([not beaten(rung[:, :n], own) for own in rung[:, :n]])
        return found

    def places(self, rung: Losses, ended: Losses, n: int, traits: Losses | None = None) -> tuple[Places, Flags]:
        """The place of each trial by its value at the end, 0 the best, and whether it is to violate a constraint.

        Args:
            rung: (n_trials, n + n_constraints), as `earlier` of `judge`.
            ended: of the same shape, as for `judge`.
            n: how many of the columns are objectives.
            traits: (n_trials, n_traits), of these trials.
        """
        worth = at_the_end(rung, ended, traits)
        violations = np.where(worth[:, n:] > ROUNDING, worth[:, n:], 0.0).sum(axis=1)
        return constrained(self.ranking, worth[:, :n], violations), violations > 0.0


def beaten(others: Losses, own: Losses) -> bool:
    """Whether some trial is no worse in every objective, and better in one."""
    return bool(((others <= own).all(axis=1) & (others < own).any(axis=1)).any())
