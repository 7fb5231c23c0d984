"""The declaration of a metric: name, unit, direction, range, and its requirements on data and model.

Each metric's computation is declared in its own file in `tuner/qpm/metrics`; see `tuner.qpm.metrics.kinds`.
Importing this does not import torch.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tuner.base.registry import Registry
from tuner.errors import TunerError


@dataclass(frozen=True)
class DataNeed:
    """Optional data that a metric requires, such as object masks.

    Attributes:
        what: a short name, such as `masks`.
        todo: how to provide it, as a clause for messages.
        of: takes a `Dataset` or `Samples` and returns the data, or None if it has none.
        per_image: whether it may exist for some images only; `of` then returns for which, (n,) bool.
    """

    what: str
    todo: str
    of: Callable[[Any], Any]
    per_image: bool = False


@dataclass(frozen=True)
class SizeNeed:
    """A minimum model size that a metric requires.

    Attributes:
        size: name of the size, such as `features_per_class`.
        least: the smallest size for which the metric is defined.
    """

    size: str
    least: int


def _masked(data: Any) -> Any:
    """A `Dataset` opens masks on demand; `Samples` contain them."""
    return None if getattr(data, "masks", data.has_mask) is None else data.has_mask


MASKS = DataNeed("masks", "set data.masks to a folder of object masks", _masked, per_image=True)
CLASS_ATTRIBUTES = DataNeed(
    "class attributes", "use a data set with attributes, such as cub", lambda data: data.class_attributes
)
IMAGE_ATTRIBUTES = DataNeed(
    "image attributes", "use a data set with attributes, such as cub", lambda data: data.image_attributes
)
CLS = DataNeed(
    "a CLS token",
    "use a backbone that has one, such as dinov2",
    lambda data: getattr(data, "cls", None),  # a `Dataset` has no tokens yet
)


PLACES = DataNeed(
    "more than one place an image",
    "use a feature bank with patch tokens (backbone.keep=all or quarter)",
    lambda data: None if getattr(data, "grid", None) == (1, 1) else True,  # a `Dataset` has no tokens yet
)


def _with_parts(data: Any) -> Any:
    """The keypoints, if any is visible."""
    return data.parts if data.parts is not None and data.parts[:, :, 2].any() else None


def _two_classes(data: Any) -> Any:
    """A `Dataset` names its classes; `Samples` count them."""
    n_classes = len(data.class_names) if hasattr(data, "class_names") else data.n_classes
    return True if n_classes == 2 else None


LEAST_OF_A_GROUP = 10  # images; the share of right ones says nothing of a smaller group


def _grouped(data: Any) -> Any:
    """What images share a group, of a `Dataset` or `Samples`, if there is more than one group of some size."""
    together = data.groups if hasattr(data, "groups") else data.content
    if together is None:
        return None
    sizes = Counter(together.tolist()).values()
    return together if sum(size >= LEAST_OF_A_GROUP for size in sizes) > 1 else None


GROUPS = DataNeed(
    "groups of images that belong together",
    f"name groups in a manifest, or use a data set with groups, at least two of {LEAST_OF_A_GROUP} measured images",
    _grouped,
)
PARTS = DataNeed(
    "parts",
    "use a data set with keypoints of parts, such as cub, and a feature bank made since they are read",
    _with_parts,
)
TWO_CLASSES = DataNeed("a choice between two classes", "use a data set of two classes", _two_classes)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric.

    A metric that does not apply to a model or data set is absent from a result, never zero.

    Attributes:
        name: key in a result, and name of the objective in a recipe.
        heading: column heading for narrow tables.
        help: description in one line.
        unit: `%`, or what is counted, such as `features`; empty for a plain number.
        direction: whether higher or lower values are better.
        low: lower end of its natural range, in `unit`.
        high: upper end of its natural range, in `unit`.
        needs: requirements on data and model.
        formula: formula in one line.
        source: reference for the formula.
        version: increment it when the same model gets another value; stored evaluations are then computed again.
        is_share: whether it is a proportion of images, so that its standard error is binomial.
        no_goal: why it describes the data or another metric and cannot be an objective; empty if it can.
    """

    name: str
    heading: str
    help: str
    unit: str = "%"
    direction: Literal["max", "min"] = "max"
    low: float = 0.0
    high: float = 100.0
    needs: tuple[DataNeed | SizeNeed, ...] = ()
    formula: str = ""
    source: str = ""
    version: int = 1
    is_share: bool = False
    no_goal: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the metrics it is composed of; they are shown beside it."""
        return ()

    @property
    def counted_by(self) -> str:
        """Name, in a result, of the number of images it is computed on; empty if it is not computed on images."""
        return ""

    @property
    def data_needs(self) -> tuple[DataNeed, ...]:
        """Requirements on the data."""
        return tuple(need for need in self.needs if isinstance(need, DataNeed))

    @property
    def size_needs(self) -> tuple[SizeNeed, ...]:
        """Requirements on the size of the model."""
        return tuple(need for need in self.needs if isinstance(need, SizeNeed))


# The numbers of images that a result contains besides its metrics. They cannot be objectives.
COUNTS = {
    "n_images": "held-out images that the metrics are computed on",
    "n_masked_images": "held-out images with a mask, which plausibility is computed on",
    "n_train_images": "training images, which class independence, contrastiveness and correlation are computed on",
}


# What else an objective, a value or a column of a report can be called.
_TAKEN = ("n_features", "features_per_class", "width", "hidden", "trial", *COUNTS)

METRICS: Registry[Metric] = Registry(
    "metric", Metric, group="qpm_tuner.metrics", home="tuner.qpm.metrics.table", taken=_TAKEN
)


def parts() -> tuple[str, ...]:
    """The parts of all composite metrics, without duplicates."""
    return tuple(dict.fromkeys(part for metric in METRICS.values() for part in metric.parts))


def added_metrics() -> dict[str, dict[str, int]]:
    """The part of an evaluation's settings, and so of its key, that third-party metrics add; empty without any.

    Returns:
        {"metrics": {name: version}}.
    """
    added = {name: metric.version for name, metric in sorted(METRICS.added().items())}
    return {"metrics": added} if added else {}


def require_metrics(settings: Mapping[str, Any]) -> None:
    """Check that the metrics of an evaluation are available in this process.

    Args:
        settings: settings of the evaluation.

    Raises:
        TunerError: a metric is missing, or has another version.
    """
    known = added_metrics().get("metrics", {})
    for name, version in settings.get("metrics", {}).items():
        if known.get(name) != version:
            has = f"version {known[name]}" if name in known else "none"
            raise TunerError(
                f"the evaluation requires the metric {name} in version {version}, but this process has {has}",
                "the same metrics in the driver and in the processes that evaluate",
                f"install the package that declares it, with the entry point group {METRICS.group}, on every machine",
            )
