"""The uncertainty of a measured share: its binomial standard error and its number of images.

Tables, sentences, the report, JSON and MLflow all use this one rule, so that they agree.
"""

from collections.abc import Iterable, Mapping
from math import floor, isfinite, log10, sqrt
from typing import Any

from tuner.base.metric import METRICS

RULE = "± is one standard error (binomial; half of Wilson's interval)"

ASSIGNED = "assigned_"  # prefix of metrics measured before fine-tuning

# Name of a count -> what it counts.
KINDS = {"n_images": "images", "n_masked_images": "images with a mask", "n_train_images": "training images"}


def standard_error(percent: float, n: int) -> float:
    """Standard error of a share of n images, in percentage points.

    Half the width of Wilson's interval (1927) at z = 1. The plain sqrt(p (1 - p) / n) is 0 where all or none of the
    images are right, which understates the uncertainty; this one is then 50 / (n + 1). For large n and any other
    share the two agree.
    """
    share = percent / 100.0
    return 100.0 * sqrt(share * (1.0 - share) / n + 1.0 / (4.0 * n * n)) / (1.0 + 1.0 / n)


def error(metric: str, values: Mapping[str, Any]) -> float | None:
    """The standard error of a metric of an evaluation; None if it is not a share, or the number of images is unknown.

    Args:
        metric: its name among the values; "test/accuracy" is counted by "test/n_images".
        values: all metrics of the evaluation, counts included.
    """
    value, n = _finite(values.get(metric)), images(metric, values)
    if not _is_share(metric.rpartition("/")[2]) or value is None or n is None or not 0.0 <= value <= 100.0:
        return None
    return standard_error(value, n)


def errors(values: Mapping[str, Any]) -> dict[str, float]:
    """The standard errors of all shares among the values of an evaluation, by metric."""
    shares = [name for name, metric in METRICS.items() if metric.is_share]
    found = {name: error(name, values) for share in shares for name in (share, f"{ASSIGNED}{share}")}
    return {name: deviation for name, deviation in found.items() if deviation is not None}


def images(metric: str, values: Mapping[str, Any]) -> int | None:
    """The number of images that a metric was measured on; None if unknown."""
    split, slash, name = metric.rpartition("/")
    count = _finite(values.get(f"{split}{slash}{_counted_by(name)}"))
    return int(count) if count is not None and count >= 1 else None


def beside(metric: str, values: Mapping[str, Any]) -> str:
    """The text beside a share: "± 1.2, n = 288"; empty for other metrics."""
    deviation = error(metric, values)
    return "" if deviation is None else f"± {plus_minus(deviation)}, n = {images(metric, values)}"


def is_count(name: str) -> bool:
    """Whether a value is a number of images, not a metric."""
    return name.rpartition("/")[2] in KINDS


LEAST = 0.001  # smaller errors are rounding of sums, or of no interest


def plus_minus(deviation: float) -> str:
    """An error as text: one decimal, or as many as needed so that it does not read as zero, at most three."""
    if deviation >= 0.05:
        return f"{deviation:.1f}"
    if deviation > LEAST:
        return f"{deviation:.{-floor(log10(deviation))}f}"
    return f"<{LEAST:g}" if deviation > 0 else "0"


def legend(metrics: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """The sample sizes of a table: "accuracy n = 288 images, plausible n = 120 images with a mask".

    Args:
        metrics: the columns, in order.
        rows: the values of each row, of one split.

    Returns:
        Metrics with the same count are grouped; empty if nothing is counted.
    """
    evaluations, told = list(rows), dict[str, list[str]]()
    for metric in metrics:
        counts = sorted({n for values in evaluations if metric in values and (n := images(metric, values))})
        if counts:
            span = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
            told.setdefault(f"n = {span} {KINDS[_counted_by(metric)]}", []).append(metric.replace("_", " "))
    return "; ".join(f"{', '.join(dict.fromkeys(names))}: {count}" for count, names in told.items())


def _is_share(name: str) -> bool:
    metric = METRICS.get(name.removeprefix(ASSIGNED))
    return metric is not None and metric.is_share


def _counted_by(name: str) -> str:
    """The name under which an evaluation counts the images of a metric; empty if there is no such count."""
    metric = METRICS.get(name.removeprefix(ASSIGNED) if _is_share(name) else name)
    return "" if metric is None else metric.counted_by


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and isfinite(value) else None
