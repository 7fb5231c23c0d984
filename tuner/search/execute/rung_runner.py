"""The rung of early stopping: fine-tuning up to an epoch, a measurement there, and a checkpoint to continue from."""

import json
from functools import partial
from pathlib import Path

from tuner.base.metric import require_metrics
from tuner.qpm import change, finetune, measure
from tuner.qpm.evaluation import Evaluation
from tuner.qpm.metrics.compactness import used_features
from tuner.qpm.settings import FinetuneConfig
from tuner.search.execute.job import StageJob
from tuner.search.execute.rung_checkpoint import publish_checkpoint
from tuner.search.execute.stage_curves import publish_curves, validation_images
from tuner.search.record.values import VALUES_FILE
from tuner.search.stages import model_stage


def run_rung(job: StageJob, folder: Path) -> dict[str, float]:
    """Fine-tune up to the rung's epoch; measure the averaged model of that epoch as the evaluate stage does.

    The checkpoint is an artifact of its own, removed once fine-tuning has continued from it.
    """
    settings = job.spec.settings
    require_metrics(settings)
    dense = job.model("dense")
    assignment = job.assignment(dense)
    train, held_out = job.samples("train"), job.samples(settings["held_out"])
    config = FinetuneConfig(**settings["finetune"])
    validation = validation_images(job)
    until = partial(finetune, until=settings["epoch"], validation=validation)
    model = job.trained(until, dense, assignment, train, config)
    publish_curves(job, model.curves, config.epochs, validation)
    measured = measure(model, train, held_out)
    untuned = job.dense_features_of(dense, train).pooled[:, assignment.features]
    used = used_features(model.weight).cpu().numpy()
    values = measured.values | change(Evaluation({}, {}, untuned[:, used]), measured)
    (folder / VALUES_FILE).write_text(json.dumps(values, allow_nan=False), encoding="utf-8")
    if job.artifacts.find(model_stage().kind, job.spec.partner) is None:
        publish_checkpoint(job.artifacts, job.spec, job.checkpoints)
    return values
