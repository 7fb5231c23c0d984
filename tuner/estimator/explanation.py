"""An explanation that knows the labels of the classes, which the method itself only counts."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.estimator.errors import InputError
from tuner.qpm import Explanation


@dataclass(frozen=True, eq=False)
class LabelledExplanation(Explanation):
    """One row of X, explained; see `Explanation`, whose classes are positions in `classes`.

    Args:
        classes: (n_classes,) the labels, as in `QPMClassifier.classes_`.
    """

    classes: NDArray[Any]

    @property
    def predicted_label(self) -> Any:
        """The label that `predict` gives."""
        return self.classes[self.predicted]

    @property
    def true_label(self) -> Any:
        """The label in y; without y the predicted one."""
        return self.classes[self.label]

    def __repr__(self) -> str:
        return f"<LabelledExplanation: {self.predicted_label!s}>"


def labelled(plain: Explanation, classes: NDArray[Any]) -> LabelledExplanation:
    """The explanation with the labels of its classes."""
    return LabelledExplanation(**{field.name: getattr(plain, field.name) for field in fields(plain)}, classes=classes)


def checked_size(image_size: Any) -> tuple[int, int] | None:
    """Height and width of saliency maps, as plain whole numbers.

    Raises:
        InputError: it is no such pair.
    """
    if image_size is None:
        return None
    sides = list(image_size) if isinstance(image_size, list | tuple | np.ndarray) else []
    if len(sides) != 2 or not all(is_whole(side) and side > 0 for side in sides):
        raise InputError(f"image_size={image_size!r}", "(height, width) in pixels, each above 0", "correct image_size")
    return int(sides[0]), int(sides[1])


def is_whole(value: Any) -> bool:
    """Whether it is a whole number of Python or numpy, and no truth value."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)
