"""The method: dense adapter, sparse binary assignment, fine-tuning, evaluation, explanation.

Usable alone, in a notebook. Names are imported on first use, so that settings and tables need no torch.
"""

from typing import TYPE_CHECKING

from tuner.base.lazy import lazy_attributes

if TYPE_CHECKING:
    from tuner.features.samples import Samples
    from tuner.qpm.assignment import Assignment, assign
    from tuner.qpm.dense import DenseModel, dense_features, train_dense
    from tuner.qpm.evaluation import Evaluation, evaluate, measure
    from tuner.qpm.explanation import ClassComparison, Explanation, compare_classes, explain
    from tuner.qpm.finetuning import QpmModel, assigned_model, finetune
    from tuner.qpm.metrics.kinds import CompositeMetric, FeatureMetric, HeadMetric, ImageMetric
    from tuner.qpm.metrics.table import METRICS, register_metric
    from tuner.qpm.probe import LinearProbe, train_linear_probe
    from tuner.qpm.program_input import DenseFeatures
    from tuner.qpm.qsenn import train_qsenn
    from tuner.qpm.settings import (
        SPARSE_DENSE,
        AdapterConfig,
        AssignConfig,
        DenseConfig,
        FinetuneConfig,
        QsennConfig,
        SlddConfig,
    )
    from tuner.qpm.sldd import train_sldd
    from tuner.qpm.sparse import SparseModel
    from tuner.qpm.training import DivergedError, Progress

__all__ = [
    "METRICS",
    "SPARSE_DENSE",
    "AdapterConfig",
    "AssignConfig",
    "Assignment",
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
    "Progress",
    "QpmModel",
    "QsennConfig",
    "Samples",
    "SlddConfig",
    "SparseModel",
    "assign",
    "assigned_model",
    "compare_classes",
    "dense_features",
    "evaluate",
    "explain",
    "finetune",
    "measure",
    "register_metric",
    "train_dense",
    "train_linear_probe",
    "train_qsenn",
    "train_sldd",
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
            "CompositeMetric",
            "FeatureMetric",
            "HeadMetric",
            "ImageMetric",
        ),
        "tuner.qpm.metrics.table": (
            "METRICS",
            "register_metric",
        ),
        "tuner.qpm.probe": (
            "LinearProbe",
            "train_linear_probe",
        ),
        "tuner.qpm.qsenn": ("train_qsenn",),
        "tuner.qpm.program_input": ("DenseFeatures",),
        "tuner.qpm.settings": (
            "SPARSE_DENSE",
            "AdapterConfig",
            "AssignConfig",
            "DenseConfig",
            "FinetuneConfig",
            "QsennConfig",
            "SlddConfig",
        ),
        "tuner.qpm.sldd": ("train_sldd",),
        "tuner.qpm.sparse": ("SparseModel",),
        "tuner.qpm.training": (
            "DivergedError",
            "Progress",
        ),
    },
)
