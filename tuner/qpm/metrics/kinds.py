"""The kinds of metrics, by what they are computed from. A metric's file declares rows of these kinds in `METRICS`.

Functions of metrics whose unit is `%` return shares of one; `evaluate` scales them. Importing this, or the file of a
metric, does not import torch: functions import it when they run.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tuner.base.metric import MASKS, Metric

if TYPE_CHECKING:
    from torch import Tensor

    from tuner.features.stored_tokens import StoredTokens


@dataclass(frozen=True)
class ImageBatch:
    """Some held-out images as a model sees them.

    Attributes:
        maps: feature maps, (n, n_patches, width).
        predicted: predicted classes, (n,) int64.
        labels: true classes, (n,) int64.
        weight: head weights of the model, (n_classes, width).
        masks: grey object masks on the token grid, (n, grid_h, grid_w) uint8; None where the data set has none.
        logits: (n, n_classes).
        inputs: by how much what the head multiplies by its weights exceeds what it is for a feature that is off,
            (n, width): the pooled features, divided by their deviation where the head standardises.
        grid: patches per column and per row.
        tokens: what the backbone says of each patch, (n, n_patches, dim) float16 or float32; None where there is no
            frozen backbone.
        cls: its CLS token, (n, dim) likewise; None where it has none.
    """

    maps: "Tensor"
    predicted: "Tensor"
    labels: "Tensor"
    weight: "Tensor"
    masks: "Tensor | None"
    logits: "Tensor"
    inputs: "Tensor"
    grid: tuple[int, int]
    tokens: "Tensor | None"
    cls: "Tensor | None"

    def only(self, rows: "Tensor") -> "ImageBatch":
        """The images chosen by (n,) bool."""
        per_image = ("maps", "predicted", "labels", "masks", "logits", "inputs", "tokens", "cls")
        chosen = {name: value[rows] for name in per_image if (value := getattr(self, name)) is not None}
        return replace(self, **chosen)


@dataclass(frozen=True)
class TrainFeatures:
    """The features that some class uses, over the training images.

    Attributes:
        features: raw pooled features, (n, n_used), n_used >= 1.
        labels: true classes, (n,) int64.
        n_classes: number of classes.
        image_attributes: (n, n_attributes) int8: 1 present, 0 absent, -1 unknown; None where the data set has none.
        peaks: the patch at which each feature's map is largest, the first of equal ones, (n, n_used) int64.
        tokens: what the backbone says of each patch, (n, n_patches, dim) float16 or float32, perhaps on the disk: index
            a few images at a time; None where there is no frozen backbone.
        grid: patches per column and per row.
        weight: head weights of these features, (n_classes, n_used).
        parts: keypoints, (n, n_parts, 3) float32: x and y in patches from the upper left corner, and 1 if visible;
            None where the data set has none.
    """

    features: "Tensor"
    labels: "Tensor"
    n_classes: int
    image_attributes: "Tensor | None"
    peaks: "Tensor"
    tokens: "Tensor | StoredTokens | None"
    grid: tuple[int, int]
    weight: "Tensor"
    parts: "Tensor | None" = None


@dataclass(frozen=True)
class Predictions:
    """What a model says of all held-out images.

    Attributes:
        logits: (n, n_classes).
        labels: true classes, (n,) int64.
        n_classes: number of classes, present among the images or not.
        at_peaks: logits with the largest value of each map in the place of the pooled one, (n, n_classes).
        together: equal for images that are copies or belong together otherwise, (n,) int64; None: all differ.
    """

    logits: "Tensor"
    labels: "Tensor"
    n_classes: int
    at_peaks: "Tensor"
    together: "Tensor | None" = None


@dataclass(frozen=True)
class Change:
    """The selected features over the training images, before and after fine-tuning.

    Attributes:
        before: in the dense model, (n, n_used).
        after: in the fine-tuned model, (n, n_used), in the same order.
    """

    before: "Tensor"
    after: "Tensor"


@dataclass(frozen=True)
class Head:
    """The last layer of a model.

    Attributes:
        weight: (n_classes, width).
        class_attributes: (n_classes, n_attributes), percent; None where the data set has none.
    """

    weight: "Tensor"
    class_attributes: "Tensor | None"


@dataclass(frozen=True, kw_only=True)
class ImageMetric(Metric):
    """A mean over held-out images; where it needs something of an image, over those that have it.

    Attributes:
        function: a value for each image, (n,); NaN where it does not apply.
    """

    function: "Callable[[ImageBatch], Tensor]"

    @property
    def counted_by(self) -> str:
        """All images, or those with a mask."""
        return "n_masked_images" if MASKS in self.needs else "n_images"


@dataclass(frozen=True, kw_only=True)
class PredictionMetric(Metric):
    """Of the predictions for all held-out images together.

    Attributes:
        function: the value; None where there is none.
    """

    function: Callable[[Predictions], float | None]

    @property
    def counted_by(self) -> str:
        """All images."""
        return "n_images"


@dataclass(frozen=True, kw_only=True)
class FeatureMetric(Metric):
    """Of the distribution of the features over the training images.

    Attributes:
        function: the value; None where there is none.
    """

    function: Callable[[TrainFeatures], float | None]

    @property
    def counted_by(self) -> str:
        """The training images."""
        return "n_train_images"


@dataclass(frozen=True, kw_only=True)
class HeadMetric(Metric):
    """Of the head's weights alone.

    Attributes:
        function: the value; None where there is none.
    """

    function: Callable[[Head], float | None]


@dataclass(frozen=True, kw_only=True)
class ChangeMetric(Metric):
    """Of what fine-tuning does to the selected features; only a fine-tuned model has it.

    Attributes:
        function: the value; None where there is none.
    """

    function: Callable[[Change], float | None]

    @property
    def counted_by(self) -> str:
        """The training images."""
        return "n_train_images"


@dataclass(frozen=True, kw_only=True)
class CompositeMetric(Metric):
    """The geometric mean of other metrics, of those that have a value.

    Attributes:
        made_of: their names; all have the unit of this one.
    """

    made_of: tuple[str, ...]

    @property
    def parts(self) -> tuple[str, ...]:
        """The names."""
        return self.made_of

    def of(self, values: Mapping[str, float]) -> float | None:
        """The geometric mean, where a negative value counts as 0; None where no part has a value."""
        known = [max(values[name], 0.0) for name in self.made_of if name in values]
        return math.prod(known) ** (1 / len(known)) if known else None
