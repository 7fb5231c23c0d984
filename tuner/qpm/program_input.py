"""What the dense model makes of its training images, which is all that the program needs of it.

The dense stage computes it once and keeps it. Programs of other sizes then need no tokens, no torch and no GPU, and
the assigned model is measured without another pass (docs/explanation/method.md#dense-features).
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from tuner.base.untrusted import read_tensors, require, shown, tensor_table
from tuner.qpm.array_files import write_arrays
from tuner.qpm.program.instance.arrays import Bools, Ints

FEATURES_FILE = "features.safetensors"
SMALLEST_STD = 1e-6  # a feature that deviates less, as a share of the largest deviation, is dead
MOST_CLASSES = 10_000_000  # what is believed of a file


@dataclass(frozen=True, eq=False)
class DenseFeatures:
    """Features of images by a dense model, in evaluation mode, without dropout.

    Args:
        pooled: (n, width) float32.
        peaks: (n, width) float32, the largest value of each map after a softmax over its positions.
        borders: (n, width) bool, whether that value lies in a border row or column of the grid.
        places: (n, width) int32, the patch where it lies.
        labels: (n,) int64 class indices.
        trained: (n,) bool, whether the dense model was trained on the image.
        n_classes: number of classes, present here or not.
    """

    pooled: NDArray[np.float32]
    peaks: NDArray[np.float32]
    borders: Bools
    places: NDArray[np.int32]
    labels: Ints
    trained: Bools
    n_classes: int

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)

    @property
    def width(self) -> int:
        """The number of features."""
        return len(self.pooled[0])

    def only(self, rows: Bools) -> "DenseFeatures":
        """The images of a mask, (n,) bool."""
        of_an_image = (field.name for field in fields(self) if field.name != "n_classes")
        parts: dict[str, Any] = {name: getattr(self, name)[rows] for name in of_an_image}
        return DenseFeatures(**parts, n_classes=self.n_classes)

    def live(self) -> Ints:
        """Indices of the features that vary over the images, ascending; the candidates of a program."""
        std = self.pooled.astype(np.float64).std(0)
        return np.flatnonzero(std > SMALLEST_STD * max(float(std.max()), SMALLEST_STD))

    def of(self, labels: Ints, n_patches: int, width: int) -> Self:
        """These features, after a check that they are those of a model of some images.

        Args:
            labels: of the images, (n,) int64.
            n_patches: of each.
            width: features of the model.

        Raises:
            MalformedError: they are of others.
        """
        same = np.array_equal(self.labels, labels) and self.width == width and self.places.max() < n_patches
        require(same, "the features", "they are of other images or of another model", "those of the dense model")
        return self

    def save(self, folder: Path) -> None:
        """Write `features.safetensors`."""
        arrays = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        write_arrays(folder / FEATURES_FILE, arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            MalformedError: the file is missing or damaged, or holds what no dense model gives.
        """
        file = folder / FEATURES_FILE
        shape = tensor_table(file).get("pooled", ("", ()))[1]
        require(len(shape) == 2 and min(shape) > 0, file, f"its features are of {shown(shape)}", "images x features")
        kinds = {"pooled": "F32", "peaks": "F32", "borders": "BOOL", "places": "I32"}
        per_image = {"labels": ("I64", shape[:1]), "trained": ("BOOL", shape[:1]), "n_classes": ("I64", ())}
        arrays: dict[str, Any] = read_tensors(file, {name: (kind, shape) for name, kind in kinds.items()} | per_image)
        n_classes, labels = int(arrays.pop("n_classes")), arrays["labels"]
        require(1 <= n_classes <= MOST_CLASSES, file, f"it has {n_classes} classes", f"from 1 to {MOST_CLASSES}")
        known = labels.min() >= 0 and labels.max() < n_classes
        require(known, file, f"its labels are {labels.min()} to {labels.max()}", f"0 to {n_classes - 1}")
        require(arrays["places"].min() >= 0, file, "a peak lies nowhere", "patches from 0 on")
        require(arrays["trained"].any(), file, "no image is one that the model was trained on", "some that are")
        return cls(**arrays, n_classes=n_classes)
