"""The declaration of a data set: its name in recipes, its settings, and its loader."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tuner.base.registry import Registry


@dataclass(frozen=True)
class DatasetKind:
    """One kind of data set.

    Attributes:
        name: `data.name` in a recipe.
        load: takes the settings and returns a `tuner.data.dataset.Dataset`, without decoding images.
        settings: dataclass of its settings.
        needs_root: whether `data.root` must be set.
        reads_buckets: whether `data.root` may be `s3://bucket/prefix`.
    """

    name: str
    load: Callable[[Any], Any]
    settings: type
    needs_root: bool = True
    reads_buckets: bool = False


DATASETS: Registry[DatasetKind] = Registry(
    "data set", DatasetKind, group="qpm_tuner.datasets", home="tuner.data.registry"
)
