"""How long the remaining trials will take, from how long the last ones took."""

from math import sqrt
from typing import NamedTuple

from tuner.recipe import Recipe
from tuner.search.record.state import SearchState

RECENT = 10
"""Trials that the estimate is taken from: later ones are quicker, because they reuse stages of earlier ones."""


class Eta(NamedTuple):
    """Seconds until the last trial ends, and one standard error of that."""

    seconds: float
    spread: float


def eta(state: SearchState, recipe: Recipe) -> Eta | None:
    """An estimate from the last ended trials; None before the first one, and where none is left.

    Seconds count from the end of the last trial on. Trials that run side by side end one after the other, so each end
    brings the search nearer by one trial's time, shared by `parallel`. Confirming the front is not part of it.
    """
    took = [trial.seconds for trial in state.finished() if trial.stages][-RECENT:]
    left = len(state.open()) + len(state.missing(recipe.budget.trials))
    if not took or not left:
        return None
    rounds = left / recipe.budget.parallel
    mean = sum(took) / len(took)
    variance = sum((seconds - mean) ** 2 for seconds in took) / max(1, len(took) - 1)
    # the error of the mean, and the scatter of the trials to come
    return Eta(mean * rounds, sqrt(variance / len(took) * rounds**2 + variance * rounds))
