"""Puts the rung of early stopping into the plan of a trial: a stage before fine-tuning, which continues it.

Only trials of a search have one. Confirmation runs and the measurement on test are planned without.
"""

import dataclasses
from collections.abc import Sequence

from tuner.base.metric import added_metrics
from tuner.search.execute.plan import StageSpec
from tuner.search.stages import CODE_VERSIONS, measuring_stage, model_stage, rung_stage


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
