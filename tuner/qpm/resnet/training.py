"""Trains ResNet50 baseline and ResNet50 QPM end to end: SGD with steps (docs/explanation/method.md#resnet)."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from tuner.errors import UsageError
from tuner.features.device import choose_device
from tuner.features.resnet_sizes import WIDTHS
from tuner.features.samples import Samples
from tuner.features.stored_tokens import StoredTokens
from tuner.qpm.assignment import Assignment
from tuner.qpm.checkpoint import Checkpoint, fingerprint
from tuner.qpm.classifier import Activations
from tuner.qpm.finetuning import load_head
from tuner.qpm.losses import diversity_loss
from tuner.qpm.randomness import generator
from tuner.qpm.resnet.batches import training_batches
from tuner.qpm.resnet.model import OfPixels, ResnetModel, ResnetQpm
from tuner.qpm.resnet.settings import ResnetConfig, ResnetFinetuneConfig, ResnetShape, ResnetTraining
from tuner.qpm.training import DivergedError, Progress, refuse_broken, refuse_longer

MOMENTS = ("momentum_buffer",)


def train_resnet(
    train: Samples,
    initial: dict[str, Tensor],
    depth: int,
    config: ResnetConfig,
    *,
    seed: int,
    device: str = "auto",
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> ResnetModel:
    """Train a ResNet and its linear head.

    Args:
        train: pixels of the training images as tokens, from the backbone `pixels`; they stay in main memory.
        initial: the network's initial weights, by the names of `build_network`.
        depth: its layers.
        config: epochs, learning rate, augmentation.
        seed: of the head, order, augmentation and dropout.
        device: `auto`, `cpu`, `cuda`, `cuda:1` ...
        progress: called after each epoch.
        checkpoint: file resumed from where it exists, and written after each epoch.

    Raises:
        UsageError: the crop is larger than the images; the checkpoint is of another run, or is further on.
        DivergedError: the loss became NaN or infinite.
    """
    if config.crop > min(train.grid):
        raise UsageError(
            f"resnet.crop={config.crop} of images of {min(train.grid)} pixels",
            "a crop within the image",
            "lower resnet.crop, or raise backbone.image_size",
        )
    shape = ResnetShape(depth, config.crop, WIDTHS[depth][-1])
    model = ResnetModel(shape, train.n_classes, train.grid, generator(seed, "resnet", "init"))
    model.adapter.network.load_state_dict(initial, strict=False)  # without the counters of batches
    mean, std = channel_statistics(train.patches)
    model.adapter.mean.copy_(mean)
    model.adapter.std.copy_(std)
    target = choose_device(device)
    _fit(model.to(target), train, config, "resnet", seed, progress, checkpoint)
    return model


def finetune_resnet(
    dense: ResnetModel,
    assignment: Assignment,
    train: Samples,
    config: ResnetFinetuneConfig,
    *,
    seed: int,
    device: str = "auto",
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> ResnetQpm:
    """Train the whole ResNet behind the fixed assignment; arguments and errors as of `train_resnet`.

    Raises:
        MalformedError: the assignment is of another model.
    """
    target = choose_device(device)
    features = torch.as_tensor(assignment.of(dense).features)
    adapter: Any = dense.adapter.cut(features.to(dense.weight.device))
    model = ResnetQpm(adapter, dense.n_classes, dense.grid)
    load_head(model, assignment)
    _fit(model.to(target), train, config, "resnet_qpm", seed, progress, checkpoint)
    return model


def channel_statistics(pixels: Tensor | StoredTokens) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each colour over all pixels of the training images, (3,) each: "dataset normalisation"."""
    total, squares, n = torch.zeros(3, dtype=torch.float64), torch.zeros(3, dtype=torch.float64), 0
    for start in range(0, len(pixels), 64):
        values = pixels[start : start + 64].cpu().double().flatten(0, 1)
        total, squares, n = total + values.sum(0), squares + values.square().sum(0), n + len(values)
    mean = total / n
    return mean.float(), (squares / n - mean.square()).clamp(min=1.0).sqrt().float()


def _fit(
    model: OfPixels,
    train: Samples,
    config: ResnetTraining,
    stage: str,
    seed: int,
    progress: Progress | None,
    checkpoint: Path | None,
) -> None:
    """Train in place; ends in evaluation mode after the last epoch, with its curves."""
    train = train.near(torch.device("cpu"))  # where threads prepare the images
    parameters = [weights for weights in model.parameters() if weights.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay)
    curves: list[dict[str, float]] = []
    saved = None
    if checkpoint is not None:
        device = next(model.parameters()).device.type
        settings = {name: value for name, value in asdict(config).items() if name != "epochs"}
        run = {"stage": stage, "seed": seed, "device": device, "n_images": len(train), **settings}
        saved = Checkpoint(checkpoint, {**run, "start": fingerprint(model)}, MOMENTS, ())
        curves = saved.resume(model, optimizer)
        refuse_longer(curves, config.epochs, stage, checkpoint)
    model.dropout = config.dropout
    for epoch in range(len(curves), config.epochs):
        optimizer.param_groups[0]["lr"] = config.lr * config.decay ** (epoch // config.step_epochs)
        with torch.backends.cudnn.flags(deterministic=True, benchmark=False):  # the same key, the same weights
            row = {"epoch": epoch + 1, **_epoch(model, optimizer, train, config, stage, seed, epoch)}
        if not math.isfinite(row["loss"]):
            raise DivergedError(stage, epoch + 1, config.lr)
        curves.append(row)
        if saved is not None:
            saved.save(model, optimizer, curves)
        if progress is not None:
            progress(epoch + 1, config.epochs, row)
    refuse_broken(model, config.epochs, config.lr, stage)
    model.curves = curves
    model.eval()


def _epoch(
    model: OfPixels,
    optimizer: torch.optim.Optimizer,
    train: Samples,
    config: ResnetTraining,
    stage: str,
    seed: int,
    epoch: int,
) -> dict[str, float]:
    """One pass over train; returns mean loss, its terms and training accuracy (%), read from the device once."""
    model.train()
    device = next(model.parameters()).device
    noise = generator(seed, stage, "dropout", epoch, device=device)
    crop = model.adapter.config.crop
    totals: dict[str, Tensor] = {}
    for pixels, labels in training_batches(train, crop, config, device, stage=stage, seed=seed, epoch=epoch):
        activations: Activations = model(pixels, None, noise)
        terms = {"cross_entropy": F.cross_entropy(activations.logits, labels)}
        if config.diversity:  # on the means of the maps, without dropout: docs/explanation/method.md#diversity-loss
            plain = activations._replace(pooled=activations.maps.mean(1))
            terms["diversity"] = config.diversity * diversity_loss(plain, model.weight)
        loss = torch.stack(list(terms.values())).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        correct = 100.0 * (activations.logits.argmax(1) == labels).float().mean()
        for name, value in {"loss": loss, **terms, "accuracy": correct}.items():
            totals[name] = totals.get(name, torch.zeros_like(loss)) + value.detach() * len(labels)
    means = (torch.stack(list(totals.values())) / len(train)).tolist()
    return dict(zip(totals, means, strict=True))
