"""The evaluation stage: every metric that applies to a model and the data at hand (METHOD 6).

Features are the raw pooled values; metrics of distributions are taken on train, those of images on held out.
"""

import math

import torch
from torch import Tensor

from tuner.errors import TunerError
from tuner.features.device import choose_device
from tuner.features.samples import Samples
from tuner.qpm.classifier import Classifier, batches, pooled_features
from tuner.qpm.metrics.alignment import attribute_alignment
from tuner.qpm.metrics.class_independence import class_independence
from tuner.qpm.metrics.compactness import features_per_class, used_features
from tuner.qpm.metrics.contrastiveness import contrastiveness
from tuner.qpm.metrics.correlation import correlation
from tuner.qpm.metrics.grounding import structural_grounding
from tuner.qpm.metrics.plausibility import class_saliency, object_tokens, plausibility
from tuner.qpm.metrics.sid import sid
from tuner.qpm.metrics.table import INTERPRETABILITY


def evaluate(model: Classifier, train: Samples, held_out: Samples, *, device: str = "auto") -> dict[str, float]:
    """Measure a model; names, units and directions stand in `tuner.qpm.metrics.table.METRICS`.

    Args:
        model: moved to `device`.
        train: the images it was trained on.
        held_out: validation or test images, at least one.
        device: `auto`, `cpu`, `cuda` ...

    Returns:
        Metric name to value; one that does not apply (no masks, fewer than five features a class) is absent. With them
        the numbers of images they rest on, named in `COUNTS` of the same table.

    Raises:
        TunerError: a value is not finite.
    """
    target = choose_device(device)
    model.to(target)
    shares = _on_images(model, held_out.to(target)) | _on_features(model, train.to(target))
    values = {name: 100.0 * value for name, value in shares.items() if value is not None}
    values["n_features_used"] = float(used_features(model.weight).sum())
    values["features_per_class_used"] = features_per_class(model.weight)
    broken = [name for name, value in values.items() if not math.isfinite(value)]
    if broken:
        raise TunerError(
            f"{', '.join(broken)} of this model is not a number",
            "finite weights and features",
            "lower the learning rate it was trained with, or check the features for NaN",
        )
    parts = [values[name] for name in INTERPRETABILITY if name in values]
    if parts:
        values["interpretability"] = math.prod(max(part, 0.0) for part in parts) ** (1 / len(parts))
    return values | _counts(train, held_out)


def _counts(train: Samples, held_out: Samples) -> dict[str, float]:
    """How many images the values rest on; no number of masks where there are none."""
    masked = 0 if held_out.masks is None or held_out.has_mask is None else int(held_out.has_mask.sum())
    counts = {"n_images": len(held_out), "n_masked_images": masked, "n_train_images": len(train)}
    return {name: float(count) for name, count in counts.items() if count}


@torch.no_grad()
def _on_images(model: Classifier, held_out: Samples) -> dict[str, float | None]:
    """Accuracy, plausibility and SID, in shares of one."""
    scores: dict[str, list[Tensor]] = {}
    for rows, (maps, _, logits) in batches(model, held_out):
        predicted = logits.argmax(1)
        found = {
            "accuracy": (predicted == held_out.labels[rows]).float(),
            "sid5": sid(maps, model.weight, predicted),
        }
        if held_out.masks is not None and held_out.has_mask is not None:
            seen = held_out.has_mask[rows]
            saliency = class_saliency(maps[seen], model.weight[predicted[seen]])
            tokens, dilated = (object_tokens(held_out.masks[rows][seen], dilated=d) for d in (False, True))
            found |= {
                "plausibility": plausibility(saliency, dilated),
                "plausibility_undilated": plausibility(saliency, tokens),
                "mask_share": tokens.mean(1),
            }
        for name, values in found.items():
            scores.setdefault(name, []).append(values)
    joined = {name: torch.cat(values) for name, values in scores.items()}
    return {name: float(values.double().mean()) for name, values in joined.items() if len(values)}


@torch.no_grad()
def _on_features(model: Classifier, train: Samples) -> dict[str, float | None]:
    """Metrics of the used features' distributions over train and of the head, in shares of one."""
    used = used_features(model.weight)
    features = pooled_features(model, train)[:, used]
    values: dict[str, float | None] = {}
    if features.shape[1] > 0:
        values = {
            "class_independence": class_independence(features, train.labels, train.n_classes),
            "contrastiveness": contrastiveness(features),
            "exact_zeros": float((features == 0).double().mean()),
            "correlation": correlation(features),
        }
        if train.image_attributes is not None:
            values["attribute_alignment"] = attribute_alignment(features, train.image_attributes)
    if train.class_attributes is not None:
        values["structural_grounding"] = structural_grounding(model.weight, train.class_attributes)
    return values
