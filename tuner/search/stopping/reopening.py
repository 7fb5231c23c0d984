"""Which paused trials are open again when a search is continued with other settings of early stopping."""

from tuner.recipe import Recipe
from tuner.search.record.state import SearchState
from tuner.search.stopping.compared import is_at_rung


def to_reopen(recipe: Recipe, state: SearchState) -> list[int]:
    """The paused trials that have no place at the present rung, by number: there is none, or it is at another epoch.

    The others are compared at the turns of the search, by its present settings.

    Args:
        recipe: the search, with the present settings.
        state: after its last run.
    """
    pruned = (trial for trial in state.trials.values() if trial.outcome == "pruned")
    return sorted(trial.number for trial in pruned if not is_at_rung(recipe, trial))
