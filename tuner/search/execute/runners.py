"""One function per stage that runs models: it reads its inputs, calls the method and writes its artifact.

The table of stages names them (`tuner/search/stages.py`). Each takes the job and the folder, and returns metrics if it
measures. The stage that only solves is in `program_runner.py`.
"""

import json
from functools import partial
from pathlib import Path

import torch

from tuner.base.metric import COUNTS, require_metrics
from tuner.qpm import (
    assigned_model,
    change,
    dense_features,
    finetune,
    measure,
    train_dense,
    train_linear_probe,
    train_qsenn,
    train_sldd,
)
from tuner.qpm.evaluation import SeenOnTrain
from tuner.qpm.held_out import trained_images
from tuner.qpm.resnet.settings import ResnetConfig, ResnetFinetuneConfig
from tuner.qpm.settings import AdapterConfig, DenseConfig, FinetuneConfig, QsennConfig, SlddConfig
from tuner.qpm.storage import write_tensors
from tuner.search.execute.job import StageJob
from tuner.search.execute.rung_checkpoint import fetch_checkpoint
from tuner.search.execute.stage_curves import publish_curves, validation_images
from tuner.search.record.values import IMAGES_FILE, VALUES_FILE
from tuner.search.stages import STAGES


def run_dense(job: StageJob, folder: Path) -> None:
    """Train the dense model."""
    settings = job.spec.settings
    adapter, config = AdapterConfig(**settings["adapter"]), DenseConfig(**settings["dense"])
    train, validation = job.samples("train"), validation_images(job)
    dense = job.trained(partial(train_dense, validation=validation), train, adapter, config)
    dense.save(folder)
    publish_curves(job, dense.curves, config.epochs, validation)
    trained = trained_images(train, config.held_out, job.spec.seed)
    dense_features(dense, train, trained=trained).save(folder)


def run_finetune(job: StageJob, folder: Path) -> None:
    """Fine-tune the model that has the assigned features only."""
    dense = job.model("dense")
    assignment = job.assignment(dense)
    config = FinetuneConfig(**job.spec.settings["finetune"])
    fetch_checkpoint(job.artifacts, job.spec, job.checkpoints)
    train, validation = job.samples("train"), validation_images(job)
    model = job.trained(partial(finetune, validation=validation), dense, assignment, train, config)
    model.save(folder)
    publish_curves(job, model.curves, config.epochs, validation)


def run_probe(job: StageJob, folder: Path) -> None:
    """Train the linear probe, a baseline."""
    train_linear_probe(job.samples("train"), seed=job.spec.seed).save(folder)


def run_resnet(job: StageJob, folder: Path) -> None:
    """Train a ResNet end to end, and keep its features for the program."""
    from tuner.qpm.resnet.training import train_resnet

    train, (depth, initial) = job.samples("train"), job.initial_resnet()
    model = job.trained(train_resnet, train, initial, depth, ResnetConfig(**job.spec.settings["resnet"]))
    model.save(folder)
    dense_features(model, train).save(folder)


def run_resnet_qpm(job: StageJob, folder: Path) -> None:
    """Fine-tune a whole ResNet behind the binary head."""
    from tuner.qpm.resnet.training import finetune_resnet

    model = job.model("resnet")
    config = ResnetFinetuneConfig(**job.spec.settings["resnet_qpm"])
    job.trained(finetune_resnet, model, job.assignment(model), job.samples("train"), config).save(folder)


def run_sldd(job: StageJob, folder: Path) -> None:
    """Train SLDD behind a dense model, a baseline."""
    config = SlddConfig(**job.spec.settings["sldd"])
    job.trained(train_sldd, job.model("dense"), job.samples("train"), config).save(folder)


def run_qsenn(job: StageJob, folder: Path) -> None:
    """Train Q-SENN behind a dense model, a baseline."""
    config = QsennConfig(**job.spec.settings["qsenn"])
    job.trained(train_qsenn, job.model("dense"), job.samples("train"), config).save(folder)


def run_evaluate(job: StageJob, folder: Path) -> dict[str, float]:
    """Measure a model on the images that are held out."""
    train, held_out = job.samples("train"), job.samples(job.spec.settings["held_out"])
    stage = STAGES[job.spec.settings["model"]]
    require_metrics(job.spec.settings)
    model = job.model(stage.name)
    measured = measure(model, train, held_out)
    values = measured.values
    # the program's result before fine-tuning adapts the features to it (docs/explanation/method.md#controls)
    if stage.gives_the_model:
        dense = job.model("dense")
        assignment = job.assignment(dense)
        seen = SeenOnTrain.kept(job.dense_features_of(dense, train), assignment.features)
        untuned = assigned_model(dense, assignment, rectified=model.head.rectified)
        before = measure(untuned, train, held_out, seen=seen)
        values |= {f"assigned_{name}": value for name, value in before.values.items() if name not in COUNTS}
        values |= change(before, measured)
    (folder / VALUES_FILE).write_text(json.dumps(values, allow_nan=False), encoding="utf-8")
    write_tensors(folder / IMAGES_FILE, {name: torch.from_numpy(scores) for name, scores in measured.per_image.items()})
    return values
