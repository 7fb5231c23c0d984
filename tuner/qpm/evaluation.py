"""The evaluation stage: every metric that applies to a model and the data at hand (docs/explanation/method.md#metrics).

Features are the raw pooled values; metrics of distributions are taken on train, those of images on held out. Each side
passes the model once.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from tuner.errors import TunerError
from tuner.features.device import choose_device
from tuner.features.feeding import in_order
from tuner.features.samples import Samples
from tuner.features.stored_tokens import StoredTokens
from tuner.qpm.classifier import BATCH, Classifier, batches
from tuner.qpm.metrics.compactness import used_features
from tuner.qpm.metrics.kinds import (
    Change,
    ChangeMetric,
    CompositeMetric,
    FeatureMetric,
    Head,
    HeadMetric,
    ImageBatch,
    ImageMetric,
    PredictionMetric,
    Predictions,
    TrainFeatures,
)
from tuner.qpm.metrics.table import METRICS, Metric
from tuner.qpm.program_input import DenseFeatures

Kind = TypeVar("Kind", bound=Metric)
Stored = TypeVar("Stored", Tensor, Tensor | StoredTokens)
Measured = TypeVar("Measured", PredictionMetric, FeatureMetric, HeadMetric)


@dataclass(frozen=True)
class Evaluation:
    """What the metrics say of a model.

    Attributes:
        values: metric name to value, in its unit; what does not apply (no masks, fewer than five features per class)
            is absent. Beside them are the numbers of images they rest on, by the names in
            `tuner.qpm.metrics.table.COUNTS`.
        per_image: name of each metric of images to its values, (n_held_out,) float32 in its unit and in the order of
            the held-out images; NaN where it does not apply to an image. Their means are in `values`.
        features: the used features over train, (n_train, n_used) float32.
    """

    values: dict[str, float]
    per_image: dict[str, np.ndarray]
    features: np.ndarray


@dataclass(frozen=True)
class SeenOnTrain:
    """What a model makes of its training images, where it has been computed before.

    Attributes:
        pooled: features, (n, width) float32.
        peaks: the patch at which each map is largest, (n, width) int64.
    """

    pooled: Tensor
    peaks: Tensor

    @classmethod
    def kept(cls, features: DenseFeatures, selected: np.ndarray) -> "SeenOnTrain":
        """By a dense model cut to the selected features, (n_features,) int64, from what the dense stage kept."""
        pooled, places = features.pooled[:, selected], features.places[:, selected].astype(np.int64)
        return cls(torch.from_numpy(pooled), torch.from_numpy(places))


def evaluate(model: Classifier, train: Samples, held_out: Samples, *, device: str = "auto") -> dict[str, float]:
    """The values of `measure`."""
    return measure(model, train, held_out, device=device).values


@torch.no_grad()
def measure(
    model: Classifier,
    train: Samples,
    held_out: Samples,
    *,
    seen: SeenOnTrain | None = None,
    device: str = "auto",
) -> Evaluation:
    """Measure a model by every metric of `tuner.qpm.METRICS`, where their names, units and directions stand.

    Args:
        model: moved to `device`.
        train: the images it was trained on.
        held_out: validation or test images, at least one.
        seen: what the model makes of `train`, where that is known; it is not computed again then.
        device: `auto`, `cpu`, `cuda` ...

    Raises:
        TunerError: a value is not finite, or a metric gives no value for each image.
    """
    target = choose_device(device)
    model.to(target)
    train, held_out = model.seen(train).near(target), model.seen(held_out).near(target)
    per_image, predictions = _on_images(model, held_out)
    values = {name: float(known.double().mean()) for name, all_ in per_image.items() if len(known := _known(all_))}
    features = _features(model, train, seen)
    values |= _of(PredictionMetric, held_out, predictions)
    values |= {} if features is None else _of(FeatureMetric, train, features)
    values |= _of(HeadMetric, train, Head(model.weight, train.class_attributes))
    _refuse([name for name, value in values.items() if not math.isfinite(value)])
    for metric in METRICS.values():
        if isinstance(metric, CompositeMetric) and (mean := metric.of(values)) is not None:
            values[metric.name] = mean
    images = {name: scores.float().numpy() for name, scores in per_image.items()}
    pooled = np.zeros((len(train), 0), np.float32) if features is None else features.features.float().cpu().numpy()
    return Evaluation(values | _counts(train, held_out), images, pooled)


def change(before: Evaluation, after: Evaluation) -> dict[str, float]:
    """What fine-tuning did to the selected features: the values of every `ChangeMetric`.

    Args:
        before: of the assigned model, not yet tuned.
        after: of the tuned one, on the same images.
    """
    seen = Change(torch.from_numpy(before.features), torch.from_numpy(after.features))
    return {
        metric.name: _scale(metric) * value
        for metric in METRICS.values()
        if isinstance(metric, ChangeMetric) and (value := metric.function(seen)) is not None
    }


def _known(scores: Tensor) -> Tensor:
    """The values of the images to which a metric applies."""
    return scores[~scores.isnan()]


def _refuse(broken: list[str]) -> None:
    if broken:
        raise TunerError(
            f"{', '.join(broken)} of this model is not a number",
            "finite weights and features",
            "lower the learning rate it was trained with, or check the features for NaN",
        )


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


def _scale(metric: Metric) -> float:
    """What brings its function's values into its unit: functions return shares of one where that is percent."""
    return 100.0 if metric.unit == "%" else 1.0


def _on_images(model: Classifier, held_out: Samples) -> tuple[dict[str, Tensor], Predictions]:
    """The values of all images, (n,) float64 on the CPU, by metric, NaN where one does not apply; and what is said."""
    metrics = list(_applicable(ImageMetric, held_out))
    scores = {metric.name: torch.full((len(held_out),), torch.nan, dtype=torch.float64) for metric in metrics}
    said, at_peaks = [], []
    model.eval()
    for rows, (patches, cls) in in_order(held_out, BATCH):
        maps, pooled, logits = model(patches, cls)
        _refuse([] if logits.isfinite().all() else ["a logit"])
        said.append(logits)
        at_peaks.append(model.head(maps.amax(1)))
        masks = None if held_out.masks is None else held_out.masks[rows]
        inputs = model.head_inputs(pooled) - model.head_inputs(torch.zeros_like(pooled))
        batch = ImageBatch(
            maps,
            logits.argmax(1),
            held_out.labels[rows],
            model.weight,
            masks,
            logits,
            inputs,
            model.map_grid,
            tokens=_tokens(model, patches),
            cls=cls,
        )
        for metric in metrics:
            having = [need.of(held_out)[rows] for need in metric.data_needs if need.per_image]
            if having:
                has = torch.stack(having).all(0)
                scores[metric.name][rows][has.cpu()] = _per_image(metric, batch.only(has))
            else:
                scores[metric.name][rows] = _per_image(metric, batch)
    scaled = {metric.name: _scale(metric) * scores[metric.name] for metric in metrics}
    said_of_all = torch.cat(said), held_out.labels, held_out.n_classes, torch.cat(at_peaks)
    return scaled, Predictions(*said_of_all, together=held_out.content)


def _per_image(metric: ImageMetric, images: ImageBatch) -> Tensor:
    """The values of a metric, on the CPU.

    Raises:
        TunerError: its function gives something else than a value for each image.
    """
    values = metric.function(images)
    if not (isinstance(values, Tensor) and values.shape == images.labels.shape):
        found = tuple(values.shape) if isinstance(values, Tensor) else repr(values)[:60]
        raise TunerError(
            f"the metric {metric.name} gave {found} for {len(images.labels)} images",
            "a tensor with one value for each image, (n,), NaN where it does not apply",
            "correct the function of the metric",
        )
    return values.double().cpu()


def _features(model: Classifier, train: Samples, known: SeenOnTrain | None) -> TrainFeatures | None:
    """The used features over train; None if no class uses any."""
    used = used_features(model.weight)
    if not used.any():
        return None
    if known is None:
        features, peaks = _pass(model, train, used)
    else:
        features, peaks = (values.to(train.device)[:, used] for values in (known.pooled, known.peaks))
    return TrainFeatures(
        features,
        train.labels,
        train.n_classes,
        train.image_attributes,
        peaks,
        tokens=_tokens(model, train.patches),
        grid=model.map_grid,
        weight=model.weight[:, used],
        parts=train.parts,
    )


def _tokens(model: Classifier, patches: Stored) -> Stored | None:
    """What a frozen backbone says of each patch; None for a network that reads pixels."""
    return patches if model.map_grid == model.grid else None


def _pass(model: Classifier, train: Samples, used: Tensor) -> tuple[Tensor, Tensor]:
    """The used features, and where they peak."""
    passed = [(seen.pooled[:, used], seen.maps[:, :, used].max(1).indices) for _, seen in batches(model, train)]
    features, peaks = (torch.cat(parts) for parts in zip(*passed, strict=True))
    return features, peaks


def _of(kind: type[Measured], samples: Samples, seen: Any) -> dict[str, float]:
    """The values of the metrics of a kind whose functions take `seen` and return a number or None."""
    return {
        metric.name: _scale(metric) * value
        for metric in _applicable(kind, samples)
        if (value := metric.function(seen)) is not None
    }
