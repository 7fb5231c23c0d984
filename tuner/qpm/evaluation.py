"""The evaluation stage: every metric that applies to a model and the data at hand (docs/explanation/method.md#metrics).

Features are the raw pooled values; metrics of distributions are taken on train, those of images on held out.
"""

import math
from collections.abc import Iterator
from typing import TypeVar

import torch
from torch import Tensor

from tuner.errors import TunerError
from tuner.features.device import choose_device
from tuner.features.samples import Samples
from tuner.qpm.classifier import Classifier, batches, pooled_features
from tuner.qpm.metrics.compactness import used_features
from tuner.qpm.metrics.kinds import (
    CompositeMetric,
    FeatureMetric,
    Head,
    HeadMetric,
    ImageBatch,
    ImageMetric,
    TrainFeatures,
)
from tuner.qpm.metrics.table import METRICS, Metric

Kind = TypeVar("Kind", bound=Metric)


def evaluate(model: Classifier, train: Samples, held_out: Samples, *, device: str = "auto") -> dict[str, float]:
    """Measure a model by every metric of `tuner.qpm.METRICS`, where their names, units and directions stand.

    Args:
        model: moved to `device`.
        train: the images it was trained on.
        held_out: validation or test images, at least one.
        device: `auto`, `cpu`, `cuda` ...

    Returns:
        Metric name to value; one that does not apply (no masks, fewer than five features per class) is absent. Beside
        them are the numbers of images they rest on, by the names in `tuner.qpm.metrics.table.COUNTS`.

    Raises:
        TunerError: a value is not finite.
    """
    target = choose_device(device)
    model.to(target)
    train = train.to(target)
    values = _on_images(model, held_out.to(target)) | _on_features(model, train) | _on_head(model, train)
    broken = [name for name, value in values.items() if not math.isfinite(value)]
    if broken:
        raise TunerError(
            f"{', '.join(broken)} of this model is not a number",
            "finite weights and features",
            "lower the learning rate it was trained with, or check the features for NaN",
        )
    for metric in METRICS.values():
        if isinstance(metric, CompositeMetric) and (mean := metric.of(values)) is not None:
            values[metric.name] = mean
    return values | _counts(train, held_out)


def _counts(train: Samples, held_out: Samples) -> dict[str, float]:
    """How many images the values rest on; no number of masks where there are none."""
    masked = 0 if held_out.masks is None or held_out.has_mask is None else int(held_out.has_mask.sum())
    counts = {"n_images": len(held_out), "n_masked_images": masked, "n_train_images": len(train)}
    return {name: float(count) for name, count in counts.items() if count}


def _applicable(kind: type[Kind], samples: Samples) -> Iterator[Kind]:
    """The metrics of a kind for which the data have what they need."""
    for metric in METRICS.values():
        if isinstance(metric, kind) and all(need.of(samples) is not None for need in metric.data_needs):
            yield metric


def _scaled(metric: Metric, value: float) -> float:
    """A metric's value in its unit, from a function that returns shares of one where the unit is percent."""
    return 100.0 * value if metric.unit == "%" else value


@torch.no_grad()
def _on_images(model: Classifier, held_out: Samples) -> dict[str, float]:
    """Means over held-out images; those over all of them come first."""
    metrics = sorted(_applicable(ImageMetric, held_out), key=lambda metric: bool(metric.data_needs))
    scores: dict[str, list[Tensor]] = {metric.name: [] for metric in metrics}
    for rows, (maps, _, logits) in batches(model, held_out):
        masks = None if held_out.masks is None else held_out.masks[rows]
        batch = ImageBatch(maps, logits.argmax(1), held_out.labels[rows], model.weight, masks)
        for metric in metrics:
            having = [need.of(held_out)[rows] for need in metric.data_needs if need.per_image]
            images = batch.only(torch.stack(having).all(0)) if having else batch
            scores[metric.name].append(_per_image(metric, images))
    joined = [(metric, torch.cat(scores[metric.name])) for metric in metrics]
    return {metric.name: _scaled(metric, float(values.double().mean())) for metric, values in joined if len(values)}


def _per_image(metric: ImageMetric, images: ImageBatch) -> Tensor:
    """The values of a metric.

    Raises:
        TunerError: its function gives something else than a value for each image to which it applies.
    """
    values = metric.function(images)
    if not (isinstance(values, Tensor) and values.ndim == 1 and len(values) <= len(images.labels)):
        found = tuple(values.shape) if isinstance(values, Tensor) else repr(values)[:60]
        raise TunerError(
            f"the metric {metric.name} gave {found} for {len(images.labels)} images",
            "a tensor with one value for each image to which it applies, (n,)",
            "correct the function of the metric",
        )
    return values


@torch.no_grad()
def _on_features(model: Classifier, train: Samples) -> dict[str, float]:
    """Metrics of the distributions of the used features over train."""
    features = pooled_features(model, train)[:, used_features(model.weight)]
    if features.shape[1] == 0:
        return {}
    seen = TrainFeatures(features, train.labels, train.n_classes, train.image_attributes)
    return {
        metric.name: _scaled(metric, value)
        for metric in _applicable(FeatureMetric, train)
        if (value := metric.function(seen)) is not None
    }


@torch.no_grad()
def _on_head(model: Classifier, train: Samples) -> dict[str, float]:
    """Metrics of the head's weights."""
    head = Head(model.weight, train.class_attributes)
    return {
        metric.name: _scaled(metric, value)
        for metric in _applicable(HeadMetric, train)
        if (value := metric.function(head)) is not None
    }
