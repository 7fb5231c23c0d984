"""Puts the rung of early stopping into the plan of a trial: a stage before fine-tuning, which continues it.

Only trials of a search have one. Confirmation runs and the measurement on test are planned without.
"""

import dataclasses
from collections.abc import Sequence

from tuner.base.metric import added_metrics
from tuner.recipe import Recipe
from tuner.search.execute.plan import StageSpec, plan_trial
from tuner.search.record.searched_banks import Bank
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stages import CODE_VERSIONS, measuring_stage, model_stage, rung_stage
from tuner.search.stopping.bar import Bar, bar_of


def plan_stoppable(
    recipe: Recipe, bank: Bank, state: SearchState, trial: TrialRecord
) -> tuple[list[StageSpec], Bar | None]:
    """The stages of a trial, and what it is compared with at its rung, if early stopping is on.

    A trial that was stopped, and goes on without, continues from its former rung.
    """
    stages, bar = plan_trial(recipe, bank, trial.params), bar_of(recipe, state, trial)
    if bar is not None:
        return with_rung(stages, bar.epoch), bar
    if trial.rung_epochs is not None:
        stages = [spec for spec in with_rung(stages, trial.rung_epochs[0]) if spec.stage != rung_stage().name]
    return stages, None


def with_rung(stages: Sequence[StageSpec], epoch: int) -> list[StageSpec]:
    """The stages of a trial with a rung after so many epochs of fine-tuning; all other keys stay as they are.

    Args:
        stages: in order, as `plan` makes them.
        epoch: at least 1, and less than the epochs of fine-tuning.
    """
    place, tuned = next((place, spec) for place, spec in enumerate(stages) if spec.stage == model_stage().name)
    held_out = next(spec for spec in stages if spec.stage == measuring_stage().name).settings["held_out"]
    code = {stage.name: CODE_VERSIONS[stage.name] for stage in (model_stage(), measuring_stage())}
    settings = {**tuned.settings, "epoch": epoch, "held_out": held_out, "code": code, **added_metrics()}
    rung = StageSpec(rung_stage().name, settings, tuned.inputs, tuned.seed, partner=tuned.key)
    continued = dataclasses.replace(tuned, partner=rung.key)
    return [*stages[:place], rung, continued, *stages[place + 1 :]]
