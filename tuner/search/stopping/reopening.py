"""Which stopped trials go on when a search is continued with other settings of early stopping."""

from dataclasses import asdict

from tuner.recipe import Recipe
from tuner.recipe.stopping import StoppingConfig
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stopping.bar import bar_of


def to_reopen(recipe: Recipe, state: SearchState) -> list[int]:
    """The pruned trials that the present settings would not stop, by number; none while the settings stay the same.

    Args:
        recipe: the search, with the present settings.
        state: after its last run, whose settings it has.
    """
    pruned = [trial for trial in state.trials.values() if trial.outcome == "pruned"]
    settings = recipe.to_dict()["stopping"]
    if not pruned or settings == asdict(StoppingConfig()) | state.stopping:  # an earlier version had fewer settings
        return []
    return sorted(trial.number for trial in pruned if _goes_on(recipe, state, trial))


def _goes_on(recipe: Recipe, state: SearchState, trial: TrialRecord) -> bool:
    bar = bar_of(recipe, state, trial)
    if bar is None or trial.rung_epochs != (bar.epoch, bar.epochs):  # no rung, or another: it is judged there
        return True
    verdict = bar.judge(trial.rung)
    return verdict is None or verdict.goes_on
