"""How long the remaining trials will take, from the rate at which trials have ended."""

from itertools import pairwise
from math import sqrt
from typing import NamedTuple

from tuner.recipe import Recipe
from tuner.search.record.state import SearchState

RECENT = 10
"""Trials that the rate is taken from: later ones are quicker, because they reuse stages of earlier ones."""


class Eta(NamedTuple):
    """Seconds until the last trial ends, and one standard error of that."""

    seconds: float
    spread: float


def eta(state: SearchState, recipe: Recipe) -> Eta | None:
    """An estimate from the last ended trials; None before the first one, and where none is left.

    Seconds count from the end of the last trial on. Confirming the front is not part of it.
    """
    ended = [trial for trial in state.finished() if trial.stages][-RECENT - 1 :]
    left = len(state.open()) + len(state.missing(recipe.budget.trials))
    if not ended or not left:
        return None
    at_once = min(recipe.budget.parallel, left)
    gaps = [after.ended_s - before.ended_s for before, after in pairwise(ended)]
    if len(gaps) < at_once:  # the rate is not known yet: the first ones run side by side
        gaps = [trial.seconds / at_once for trial in ended]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / max(1, len(gaps) - 1)
    per_trial = sqrt(variance / len(gaps) * left**2 + variance * left)  # of the mean, and of the trials to come
    return Eta(mean * left, per_trial)
