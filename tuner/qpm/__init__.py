"""The method: dense adapter, sparse binary assignment, fine-tuning, evaluation, explanation.

Usable alone, in a notebook. Names are imported on first use, so that settings and tables need no torch.
"""

from typing import TYPE_CHECKING

from tuner.base.lazy import lazy_attributes

if TYPE_CHECKING:
    from tuner.features.samples import Samples
    from tuner.qpm.assignment import Assignment, assign
    from tuner.qpm.dense import DenseModel, dense_features, train_dense
    from tuner.qpm.evaluation import Evaluation, change, evaluate, measure
    from tuner.qpm.explanation import ClassComparison, Explanation, compare_classes, explain
    from tuner.qpm.finetuning import QpmModel, assigned_model, finetune
    from tuner.qpm.metrics.kinds import (
        ChangeMetric,
        CompositeMetric,
        FeatureMetric,
        HeadMetric,
        ImageMetric,
        PredictionMetric,
    )
    from tuner.qpm.metrics.table import METRICS, register_metric
    from tuner.qpm.probe import LinearProbe, train_linear_probe
    from tuner.qpm.program_input import DenseFeatures
    from tuner.qpm.settings import AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig
    from tuner.qpm.training import DivergedError, Progress

__all__ = [
    "METRICS",
    "AdapterConfig",
    "AssignConfig",
    "Assignment",
    "ChangeMetric",
    "ClassComparison",
    "CompositeMetric",
    "DenseConfig",
    "DenseFeatures",
    "DenseModel",
    "DivergedError",
    "Evaluation",
    "Explanation",
    "FeatureMetric",
    "FinetuneConfig",
    "HeadMetric",
    "ImageMetric",
    "LinearProbe",
    "PredictionMetric",
    "Progress",
    "QpmModel",
    "Samples",
    "assign",
    "assigned_model",
    "change",
    "compare_classes",
    "dense_features",
    "evaluate",
    "explain",
    "finetune",
    "measure",
    "register_metric",
    "train_dense",
    "train_linear_probe",
]

# The imports above say the same to type checkers; a test holds both together.
__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "tuner.features.samples": ("Samples",),
        "tuner.qpm.assignment": (
            "Assignment",
            "assign",
        ),
        "tuner.qpm.dense": (
            "DenseModel",
            "dense_features",
            "train_dense",
        ),
        "tuner.qpm.evaluation": (
            "Evaluation",
            "change",
            "evaluate",
            "measure",
        ),
        "tuner.qpm.explanation": (
            "ClassComparison",
            "Explanation",
            "compare_classes",
            "explain",
        ),
        "tuner.qpm.finetuning": (
            "QpmModel",
            "assigned_model",
            "finetune",
        ),
        "tuner.qpm.metrics.kinds": (
            "ChangeMetric",
            "CompositeMetric",
            "FeatureMetric",
            "HeadMetric",
            "ImageMetric",
            "PredictionMetric",
        ),
        "tuner.qpm.metrics.table": (
            "METRICS",
            "register_metric",
        ),
        "tuner.qpm.probe": (
            "LinearProbe",
            "train_linear_probe",
        ),
        "tuner.qpm.program_input": ("DenseFeatures",),
        "tuner.qpm.settings": (
            "AdapterConfig",
            "AssignConfig",
            "DenseConfig",
            "FinetuneConfig",
        ),
        "tuner.qpm.training": (
            "DivergedError",
            "Progress",
        ),
    },
)
