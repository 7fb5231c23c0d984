"""The table of metrics for evaluation, objectives, displays, reports and MLflow, collected from this folder.

Each file here that has `METRICS`, a tuple of rows, is a metric (or several that are one computation). Other packages
add theirs by `register_metric`, or by an entry point in the group `qpm_tuner.metrics` that names such a row.
"""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from tuner.base.metric import COUNTS, METRICS, Metric

__all__ = ["COUNTS", "INTERPRETABILITY", "METRICS", "Metric", "register_metric"]

_HELPERS = {"kinds", "mixture", "peaks", "table"}  # files that declare no metric

# The order of columns; files that are not named here follow by name, and what is made of others comes last.
_FIRST = (
    "accuracy",
    "plausibility",
    "pointing",
    "sid",
    "distinctiveness",
    "class_independence",
    "contrastiveness",
    "exact_zeros",
    "correlation",
    "consistency",
    "parts",
    "grounding",
    "alignment",
    "compactness",
    "decision_features",
    "per_class",
    "groups",
    "two_classes",
    "calibration",
)


def register_metric(metric: Metric) -> Metric:
    """Add a custom metric in this process, so that it is measured, shown and available as an objective.

    A search evaluates in processes of its own. For it, name the metric in the entry points of an installed package,
    in the group `qpm_tuner.metrics`.

    Args:
        metric: an `ImageMetric`, `FeatureMetric`, `HeadMetric` or `CompositeMetric`.

    Returns:
        The same metric.

    Raises:
        UsageError: it is no metric, or its name is none or taken.
    """
    return METRICS.add(metric)


def _collect() -> dict[str, Metric]:
    """Declare the metrics of the files in this folder; returns them by name."""
    names = {module.name for module in iter_modules([str(Path(__file__).parent)])} - _HELPERS
    ordered = [*(name for name in _FIRST if name in names), *sorted(names - set(_FIRST))]
    rows = [row for name in ordered for row in import_module(f"{__package__}.{name}").METRICS]
    METRICS.declare(*sorted(rows, key=lambda row: bool(row.parts)))
    return {row.name: row for row in rows}


# Not read from METRICS: that would import other packages, which may import this module.
INTERPRETABILITY = _collect()["interpretability"].parts
