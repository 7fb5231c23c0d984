"""What every part of the program knows of a metric: name, unit, direction, range, and what it needs to have a value.

How a metric is computed is declared beside it, in its own file in `tuner/qpm/metrics`; see `tuner.qpm.metrics.kinds`.
Importing this does not import torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tuner.base.registry import Registry
from tuner.errors import TunerError


@dataclass(frozen=True)
class DataNeed:
    """Something that only some data sets have.

    Attributes:
        what: in a word or two, such as `masks`.
        todo: how to get it, in a clause.
        of: takes a `Dataset` or `Samples` and returns the thing; None where there is none.
        per_image: whether only some images may have it; `of` returns which, (n,) bool.
    """

    what: str
    todo: str
    of: Callable[[Any], Any]
    per_image: bool = False


@dataclass(frozen=True)
class SizeNeed:
    """A size of the model below which a metric has no value.

    Attributes:
        size: name of a size, such as `features_per_class`.
        least: the smallest size with a value.
    """

    size: str
    least: int


def _masked(data: Any) -> Any:
    """A `Dataset` opens masks when they are asked for; `Samples` hold them."""
    return None if getattr(data, "masks", data.has_mask) is None else data.has_mask


MASKS = DataNeed("masks", "set data.masks to a folder of object masks", _masked, per_image=True)
CLASS_ATTRIBUTES = DataNeed(
    "class attributes", "use a data set with attributes, such as cub", lambda data: data.class_attributes
)
IMAGE_ATTRIBUTES = DataNeed(
    "image attributes", "use a data set with attributes, such as cub", lambda data: data.image_attributes
)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """The row of one metric.

    A metric that does not apply to a model or data set is absent from a result, never zero.

    Attributes:
        name: key in a result; an objective's name in a recipe.
        heading: of a column in a narrow table.
        help: one line.
        unit: `%`, or the word for what is counted, such as `features`; empty for a plain number.
        direction: which way is better.
        low: lower end of its natural range, in its unit.
        high: upper end of its natural range, in its unit.
        needs: what must be there for it to have a value.
        formula: in one line.
        source: where the formula is from.
        version: raise it where the same model gets another value; stored evaluations are measured anew then.
        is_share: whether it is nothing but a share of images, so that its standard error is binomial.
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

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the metrics it is made of; they are shown beside it."""
        return ()

    @property
    def counted_by(self) -> str:
        """The number of images it rests on, by its name in a result; empty where it rests on none."""
        return ""

    @property
    def data_needs(self) -> tuple[DataNeed, ...]:
        """What the data must have."""
        return tuple(need for need in self.needs if isinstance(need, DataNeed))

    @property
    def size_needs(self) -> tuple[SizeNeed, ...]:
        """How large the model must be."""
        return tuple(need for need in self.needs if isinstance(need, SizeNeed))


# The numbers of images that a result holds beside its metrics. Nothing can be optimised by them.
COUNTS = {
    "n_images": "held-out images that were measured",
    "n_masked_images": "those of them that have a mask: what plausibility is measured on",
    "n_train_images": "training images: what class independence, contrastiveness and correlation are measured on",
}


# What else an objective, a value or a column of a report can be called.
_TAKEN = ("n_features", "features_per_class", "width", "hidden", "trial", *COUNTS)

METRICS: Registry[Metric] = Registry(
    "metric", Metric, group="qpm_tuner.metrics", home="tuner.qpm.metrics.table", taken=_TAKEN
)


def parts() -> tuple[str, ...]:
    """The parts of all metrics that are made of others, each once."""
    return tuple(dict.fromkeys(part for metric in METRICS.values() for part in metric.parts))


def added_metrics() -> dict[str, dict[str, int]]:
    """What metrics of other packages add to the settings of an evaluation, and so to its key; empty without any.

    Returns:
        {"metrics": {name: version}}.
    """
    added = {name: metric.version for name, metric in sorted(METRICS.added().items())}
    return {"metrics": added} if added else {}


def require_metrics(settings: Mapping[str, Any]) -> None:
    """See that this process knows the metrics that an evaluation is to measure.

    Args:
        settings: of the evaluation.

    Raises:
        TunerError: it lacks one, or has another version of it.
    """
    known = added_metrics().get("metrics", {})
    for name, version in settings.get("metrics", {}).items():
        if known.get(name) != version:
            has = f"version {known[name]}" if name in known else "none"
            raise TunerError(
                f"the metric {name} in version {version} is to be measured, and this process knows {has}",
                "the same metrics in the process that searches and in those that evaluate",
                f"install a package on every machine that names it in the entry points of {METRICS.group}",
            )
