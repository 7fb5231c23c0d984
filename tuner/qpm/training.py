"""The training loop of both stages: schedule-free AdamW on tokens that are gathered on the device
(docs/explanation/method.md#optimiser).

Trains at y, ends at xbar; one host synchronisation per epoch, one more where it is measured; checkpointed after each.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from schedulefree import AdamWScheduleFree
from torch import Tensor

from tuner.errors import TunerError, UsageError
from tuner.features.feeding import Batch, gathered
from tuner.features.samples import Samples
from tuner.qpm.batch_norm import reestimate_batch_norm
from tuner.qpm.checkpoint import Checkpoint, fingerprint
from tuner.qpm.classifier import Activations, Classifier
from tuner.qpm.losses import loss_terms
from tuner.qpm.order import permutation
from tuner.qpm.precision import DTYPES, settle
from tuner.qpm.randomness import generator
from tuner.qpm.settings import TrainingConfig, keyed
from tuner.qpm.validation import Validation

Progress = Callable[[int, int, dict[str, float]], None]  # epochs done, epochs, values such as loss, accuracy


# where a recipe sets the learning rate of stages that have no section of their own; that of the probe is fixed
_RATES = {"sldd": "finetune.lr", "qsenn": "finetune.lr", "probe": ""}


class DivergedError(TunerError):
    """The loss of a stage is no longer a number; in a search it is the outcome `failed`."""

    def __init__(self, stage: str, epoch: int, lr: float) -> None:
        rate = _RATES.get(stage, f"{stage}.lr")
        super().__init__(
            f"{stage} training diverged: the loss of epoch {epoch} is not finite (lr {lr:g})",
            "a finite loss",
            f"lower {rate}, or check the features for NaN" if rate else "check the features for NaN",
        )
        self.stage, self.epoch, self.lr = stage, epoch, lr

    def __reduce__(self) -> tuple[type["DivergedError"], tuple[str, int, float]]:
        """Survive the way back from another process."""
        return DivergedError, (self.stage, self.epoch, self.lr)


def fit(
    model: Classifier,
    train: Samples,
    config: TrainingConfig,
    *,
    rows: Tensor | None = None,
    stage: str,
    seed: int,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
    validation: Validation | None = None,
) -> None:
    """Train `model` in place; it ends at the averaged weights, in evaluation mode, with its curves.

    Args:
        model: on its device, at its starting weights.
        train: samples on the same device, resident or streamed.
        config: settings of the stage.
        rows: (m,) int64, the samples to train on; None: all of them.
        stage: its name, for errors and the random stream.
        seed: of batch order and dropout.
        progress: called after each epoch; an exception it raises stops the run, the checkpoint stands.
        checkpoint: file resumed from where it exists, and written after each epoch.
        validation: held-out images that are measured meanwhile, which changes nothing else; None: none.

    Raises:
        DivergedError: the loss became NaN or infinite.
        UsageError: the checkpoint belongs to another run, or is further on.
    """
    rows = torch.arange(len(train)) if rows is None else rows.cpu()
    precision = settle(config.precision, train.device)
    optimizer = optimizer_of(model, config)
    curves: list[dict[str, float]] = []
    saved = None
    if checkpoint is not None:
        saved = Checkpoint(
            checkpoint, _origin(model, len(rows), train.device, replace(config, precision=precision), stage, seed)
        )
        curves = saved.resume(model, optimizer)
        refuse_longer(curves, config.epochs, stage, checkpoint)
    model.dropout = config.dropout
    model.adapter.training_dtype = DTYPES[precision]
    for epoch in range(len(curves), config.epochs):
        order = generator(seed, stage, "order", epoch)
        noise = generator(seed, stage, "dropout", epoch, device=train.device)
        sums = one_epoch(model, optimizer, train, rows, config, order, noise)
        means = (
            (torch.stack(list(sums.values())) / len(rows)).cpu().tolist()
        )  # the one time that the device is waited for
        row = {"epoch": epoch + 1, **dict(zip(sums, means, strict=True))}
        if not math.isfinite(row["loss"]):
            raise DivergedError(stage, epoch + 1, config.lr)
        if validation is not None:
            row |= validation.measure(epoch + 1, model, optimizer, train, rows, config)
        curves.append(row)
        if saved is not None:
            saved.save(model, optimizer, curves)
        if progress is not None:
            progress(epoch + 1, config.epochs, row)
    optimizer.eval()
    model.adapter.training_dtype = torch.float32
    if config.reestimate_batch_norm:
        order = generator(seed, stage, "batch norm")
        reestimate_batch_norm(model, shuffled(train, config.batch_size, order, rows, config.shuffle))
    refuse_broken(model, config.epochs, config.lr, stage)
    model.curves = curves
    model.eval()


def refuse_longer(curves: list[dict[str, float]], epochs: int, stage: str, checkpoint: Path) -> None:
    """Refuse a checkpoint of more epochs than are asked for.

    Raises:
        UsageError: naming the file.
    """
    if len(curves) > epochs:
        raise UsageError(
            f"{checkpoint} already has {len(curves)} epochs",
            f"at most the {epochs} asked for",
            f"raise {stage}.epochs, or delete the checkpoint to start afresh",
        )


def refuse_broken(model: Classifier, epochs: int, lr: float, stage: str) -> None:
    """Refuse weights that the very last steps, which no loss has seen, made infinite or NaN.

    Raises:
        DivergedError: there is such a weight.
    """
    if not all(bool(torch.isfinite(values).all()) for values in model.state_dict().values()):
        raise DivergedError(stage, epochs, lr)


def _origin(
    model: Classifier, n_images: int, device: torch.device, config: TrainingConfig, stage: str, seed: int
) -> dict[str, Any]:
    """All that shapes a run but the number of epochs, which may be raised; `config` with its precision settled."""
    settings = {name: value for name, value in keyed(asdict(config)).items() if name != "epochs"}
    run = {"stage": stage, "seed": seed, "device": device.type, "n_images": n_images}
    return {**run, **settings, "start": fingerprint(model)}


def optimizer_of(model: Classifier, config: TrainingConfig) -> AdamWScheduleFree:
    """The optimiser of a run, in training mode; it steps all weights in a few kernels."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = AdamWScheduleFree(weights, lr=config.lr, weight_decay=config.weight_decay)
    optimizer.train()
    return optimizer


def one_epoch(
    model: Classifier,
    optimizer: AdamWScheduleFree,
    train: Samples,
    rows: Tensor,
    config: TrainingConfig,
    order: torch.Generator,
    noise: torch.Generator,
) -> dict[str, Tensor]:
    """One pass over train in which nothing is read back from the device.

    Returns:
        Sums over the images of loss, its terms and training accuracy (%), as seen while training; on the device.
    """
    model.train()
    names: list[str] = []
    sums = torch.zeros((), device=train.device)
    for patches, cls, labels in shuffled(train, config.batch_size, order, rows, config.shuffle):
        activations: Activations = model(patches, cls, noise)
        terms = loss_terms(activations, labels, model.weight, config)
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        correct = 100.0 * (activations.logits.argmax(1) == labels).float().mean()
        values = {"loss": loss, **terms, "accuracy": correct}
        names = list(values)
        sums = sums + torch.stack(list(values.values())).detach() * len(labels)
    return dict(zip(names, sums, strict=True))


def shuffled(
    samples: Samples, size: int, order: torch.Generator, rows: Tensor | None = None, shuffle: str = "full"
) -> Iterator[Batch]:
    """Random batches of patches, CLS and labels, on the device; the last may be smaller.

    Args:
        samples: where they come from.
        size: images in a batch.
        order: draws the order.
        rows: (m,) int64, the samples that are wanted; None: all.
        shuffle: `full` or `blocks`: see `tuner.qpm.order`.
    """
    rows = torch.arange(len(samples)) if rows is None else rows
    positions = permutation(len(rows), samples.token_bytes // max(len(samples), 1), size, shuffle, order)
    return gathered(samples, rows[positions], size)
