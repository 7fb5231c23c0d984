"""The method as a scikit-learn estimator: `QPMClassifier`, for pipelines, cross-validation and grid search.

Importing the package imports neither scikit-learn nor torch; the class does, on first use.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuner.estimator.classifier import QPMClassifier

__all__ = ["QPMClassifier"]


def __getattr__(name: str) -> Any:
    """Import the class on first use (PEP 562)."""
    if name != "QPMClassifier":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tuner.estimator.classifier import QPMClassifier

    return QPMClassifier


def __dir__() -> list[str]:
    """The public names, for completion in a notebook."""
    return sorted(__all__)
