"""What a recipe knows of a data set before it is read: its name, its settings, how to read it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tuner.base.registry import Registry


@dataclass(frozen=True)
class DatasetKind:
    """One kind of data set.

    Attributes:
        name: `data.name` in a recipe.
        load: takes the settings and gives a `tuner.data.dataset.Dataset`, with no image decoded yet.
        settings: dataclass of the settings.
        needs_root: whether `data.root` must be set.
    """

    name: str
    load: Callable[[Any], Any]
    settings: type
    needs_root: bool = True


DATASETS: Registry[DatasetKind] = Registry(
    "data set", DatasetKind, group="qpm_tuner.datasets", home="tuner.data.registry"
)
