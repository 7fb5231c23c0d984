"""The method: dense adapter, sparse binary assignment, fine-tuning, evaluation, explanation.

Usable alone, in a notebook; names are imported on first use, so that settings and tables stay torch-free.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuner.features.samples import Samples
    from tuner.qpm.assign import Assignment, assign
    from tuner.qpm.dense import DenseModel, train_dense
    from tuner.qpm.evaluate import evaluate
    from tuner.qpm.explain import ClassComparison, Explanation, compare_classes, explain
    from tuner.qpm.finetune import QpmModel, assigned_model, finetune
    from tuner.qpm.metrics.table import METRICS
    from tuner.qpm.probe import LinearProbe, train_linear_probe
    from tuner.qpm.settings import AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig
    from tuner.qpm.training import DivergedError, Progress

_HOME = {
    "tuner.features.samples": ("Samples",),
    "tuner.qpm.assign": ("Assignment", "assign"),
    "tuner.qpm.dense": ("DenseModel", "train_dense"),
    "tuner.qpm.evaluate": ("evaluate",),
    "tuner.qpm.explain": ("ClassComparison", "Explanation", "compare_classes", "explain"),
    "tuner.qpm.finetune": ("QpmModel", "assigned_model", "finetune"),
    "tuner.qpm.metrics.table": ("METRICS",),
    "tuner.qpm.probe": ("LinearProbe", "train_linear_probe"),
    "tuner.qpm.settings": ("AdapterConfig", "AssignConfig", "DenseConfig", "FinetuneConfig"),
    "tuner.qpm.training": ("DivergedError", "Progress"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "METRICS",
    "AdapterConfig",
    "AssignConfig",
    "Assignment",
    "ClassComparison",
    "DenseConfig",
    "DenseModel",
    "DivergedError",
    "Explanation",
    "FinetuneConfig",
    "LinearProbe",
    "Progress",
    "QpmModel",
    "Samples",
    "assign",
    "assigned_model",
    "compare_classes",
    "evaluate",
    "explain",
    "finetune",
    "train_dense",
    "train_linear_probe",
]


def __getattr__(name: str) -> Any:
    """Import a public name from its module on first use (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    """The public names, for completion in a notebook."""
    return sorted(__all__)


class _Package(ModuleType):
    """Keeps `tuner.qpm.assign` the function: importing a submodule would bind its name to the module."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, unless it is a submodule named like a public function."""
        if not (isinstance(value, ModuleType) and name in _MODULE_OF):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
