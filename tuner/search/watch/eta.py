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


def eta(state: SearchState, recipe: Recipe, since_s: float = 0.0) -> Eta | None:
    """An estimate from the last complete trials; None before the first one, and where none is left.

    Trials that run side by side end one after the other, so each end brings the search nearer by one trial's time,
    shared by `parallel`. If the next end is late, the estimate stands still. Confirming the front is not part of it.

    Args:
        state: of the search.
        recipe: with its budget.
        since_s: seconds since the last trial ended.
    """
    took = [trial.seconds for trial in state.finished() if trial.outcome == "complete"][-RECENT:]
    left = len(state.open()) + len(state.missing(recipe.budget.trials))
    if not took or not left:
        return None
    rounds = left / recipe.budget.parallel
    mean = sum(took) / len(took)
    variance = sum((seconds - mean) ** 2 for seconds in took) / max(1, len(took) - 1)
    # the error of the mean, and the scatter of the trials to come
    seconds = mean * rounds - min(since_s, mean / recipe.budget.parallel)
    return Eta(seconds, sqrt(variance / len(took) * rounds**2 + variance * rounds))
