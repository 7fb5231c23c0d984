"""The row of stages of a trial, with guessed times; under early stopping with its rung, or ending there."""

import math
from collections.abc import Mapping, Sequence

from tuner.errors import InfeasibleError
from tuner.recipe import Recipe, StageResources
from tuner.search.cost.guess import guess_s
from tuner.search.cost.makespan import Work
from tuner.search.cost.sizes import Sizes, sizes_at
from tuner.search.execute.plan import plan
from tuner.search.execute.rung_plan import with_rung
from tuner.search.record.searched_banks import Bank, bank_key
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stages import measuring_stage, model_stage, rung_stage

STOPPED = 0.7
"""Of the share `1 - 1 / eta`, so much is never promoted with the default `eta` (docs/explanation/early-stopping.md)."""


def row_of(
    recipe: Recipe, bank: Bank, sizes: Sizes, held: Mapping[str, StageResources], epoch: int | None = None
) -> list[Work]:
    """The stages of a trial with their guessed times; none for a point that no trial can have.

    Args:
        recipe: of the trial, its parameters filled in.
        bank: the feature bank.
        sizes: of the data.
        held: what a run of each stage holds.
        epoch: of the rung; None: it has none.
    """
    try:
        specs = plan(recipe, bank)
    except InfeasibleError:
        return []
    sizes = sizes_at(bank, sizes, bank_key(bank, recipe))
    guesses = {spec.stage: guess_s(spec.stage, recipe, sizes, held[spec.stage]) for spec in specs}
    if epoch is not None:
        specs, tuned = with_rung(specs, epoch), model_stage().name
        before = guesses[tuned] * min(1.0, epoch / recipe.finetune.epochs)
        guesses |= {rung_stage().name: before + guesses[measuring_stage().name], tuned: guesses[tuned] - before}
    return [
        Work(spec.stage, spec.key, guesses[spec.stage], held[spec.stage].cpus, held[spec.stage].gpus) for spec in specs
    ]


def epoch_of(recipe: Recipe, trial: TrialRecord) -> int | None:
    """The epoch of a trial's rung: where it was, else where it will be; None: it has none."""
    if trial.rung_epochs is not None:
        return trial.rung_epochs[0]
    epochs = int(trial.params.get("finetune.epochs", recipe.finetune.epochs))
    return None if trial.known is None or trial.outcome else recipe.stopping.rung_epoch(epochs)


def stopped_share(recipe: Recipe) -> float:
    """The share of the coming trials that will presumably end at their rung; 0 without early stopping."""
    if not recipe.stopping.rung:
        return 0.0
    return STOPPED * (1.0 - 1.0 / recipe.stopping.eta)


def to_be_promoted(recipe: Recipe, state: SearchState) -> list[TrialRecord]:
    """As many of the paused trials as will presumably go on; none without early stopping."""
    if not recipe.stopping.rung:
        return []
    judged = [trial for trial in list(state.trials.values()) if trial.rung_epochs is not None]
    paused = [trial for trial in judged if trial.outcome == "pruned"]
    n_going_on = round((1.0 - stopped_share(recipe)) * len(judged)) - (len(judged) - len(paused))
    return paused[: max(0, n_going_on)]


def as_it_ends(row: Sequence[Work], place: int, share: float) -> list[Work]:
    """The row of the trial at this place, of which such a share ends at the rung, evenly spread."""
    names = [work.stage for work in row]
    if rung_stage().name not in names or math.floor((place + 1) * share) == math.floor(place * share):
        return list(row)
    return list(row[: names.index(rung_stage().name) + 1])
