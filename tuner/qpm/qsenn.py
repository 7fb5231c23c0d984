"""DINO-QSENN: a ternary head, made anew from the adapter's present features before each round of training
(docs/explanation/method.md#qsenn)."""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from tuner.errors import UsageError
from tuner.features.device import choose_device
from tuner.features.samples import Samples
from tuner.qpm.classifier import pooled_features
from tuner.qpm.dense import DenseModel
from tuner.qpm.glm.path import end_of_path
from tuner.qpm.round_lengths import round_lengths
from tuner.qpm.rounds import fit_rounds
from tuner.qpm.selection import Standardised, selected_model
from tuner.qpm.settings import QsennConfig
from tuner.qpm.sparse import SparseModel
from tuner.qpm.training import Progress


class TernaryHead(NamedTuple):
    """Weights +a, 0 and -a, (n_classes, n_features), and a bias (n_classes,)."""

    weight: Tensor
    bias: Tensor


def train_qsenn(
    dense: DenseModel,
    train: Samples,
    config: QsennConfig,
    *,
    seed: int,
    device: str = "auto",
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> SparseModel:
    """Select features once; then, round by round, quantise a sparse head for them and train the adapter behind it.

    Args:
        dense: a trained dense model; the published one is trained by `SPARSE_DENSE`.
        train: the images it was trained on.
        config: sizes, paths, rounds, and the training.
        seed: of the images that the paths are scored on, of batch order and dropout.
        device: `auto`, `cpu`, `cuda`, `cuda:1` ...
        progress: called after each epoch, counted over all rounds.
        checkpoint: file resumed from where it exists, and written after each epoch; the paths are walked again.

    Raises:
        InfeasibleError: there are fewer features that vary, or that tell something, than are to be selected.
        DivergedError: the loss became NaN or infinite.
        UsageError: a class has too few images; the rounds leave no epoch to the last; the checkpoint is of another run.
    """
    round_lengths(config.epochs, config.rounds, config.round_epochs, "qsenn")  # refused before anything is computed
    samples = train.near(choose_device(device))
    model, selected = selected_model(dense.to(samples.device), samples, config, seed)
    model.info["rounds"] = []

    def begin(number: int) -> None:
        found = selected
        if number:
            found = Standardised.of(pooled_features(model, samples), samples, selected.fitted)
        point = end_of_path(found.problem, config)
        weight, bias = ternary(point.minimum.weight, point.minimum.bias, config.features_per_class * model.n_classes)
        head = {"weight": weight, "bias": bias, "mean": found.mean, "std": found.std}
        model.head.load_state_dict({"features": model.features, **head})
        told = {
            "path_weights_per_class": point.per_class,
            "path_accuracy": found.accuracy(point.minimum.weight, point.minimum.bias),
            "ternary_accuracy": found.accuracy(weight, bias),
            "converged": point.minimum.converged,
        }
        model.info["rounds"].append(told)

    fit_rounds(model, samples, config, stage="qsenn", seed=seed, begin=begin, progress=progress, checkpoint=checkpoint)
    return model


def ternary(weight: Tensor, bias: Tensor, n: int) -> TernaryHead:
    """The head that keeps the signs of the n weights of largest absolute value, and makes them equal.

    Args:
        weight: real weights, (n_classes, n_features).
        bias: real biases, (n_classes,).
        n: weights to keep, where so many are not 0; of equal ones the threshold keeps all or none.

    Raises:
        UsageError: no weight is above the threshold.
    """
    sizes = weight.abs().flatten().sort(descending=True).values
    threshold = 0.5 * (sizes[n - 1] + sizes[n]) if n < len(sizes) else sizes.new_zeros(())
    kept = weight.abs() > threshold
    if not kept.any():
        raise UsageError(
            f"no weight of the path's model is above the threshold, {float(threshold):.3g}",
            "weights of different sizes",
            "lower path_to of QsennConfig, or train the dense model for more epochs",
        )
    signs = torch.where(kept, weight.sign(), 0.0)
    surplus = signs.sum(1) - signs.sum(1).min()  # of positive over negative weights, above the class with the least
    most = bias.abs().max()
    lowered = 2.0 * most * surplus / surplus.max().clamp(min=1.0)
    return TernaryHead(weight.abs()[kept].mean() * signs, most - lowered)
