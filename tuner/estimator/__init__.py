"""The method as a scikit-learn estimator: `QPMClassifier`, for pipelines, cross-validation and grid search.

Importing the package imports neither scikit-learn nor torch; the class does, on first use.
"""

from typing import TYPE_CHECKING

from tuner.base.lazy import lazy_attributes

if TYPE_CHECKING:
    from tuner.estimator.classifier import QPMClassifier

__all__ = ["QPMClassifier"]

__getattr__, __dir__ = lazy_attributes(__name__, {"tuner.estimator.classifier": ("QPMClassifier",)})
