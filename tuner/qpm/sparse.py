"""A model with a sparse head of signed weights: what SLDD and Q-SENN train (docs/explanation/method.md#sldd)."""

from typing import Any, ClassVar, Self

from torch import Tensor

from tuner.base.untrusted import require
from tuner.qpm.adapter import Adapter
from tuner.qpm.classifier import Classifier
from tuner.qpm.head import SparseHead
from tuner.qpm.settings import AdapterConfig


class SparseModel(Classifier):
    """Adapter with `n_features` outputs and a sparse head: real weights, or +a, 0 and -a.

    Args:
        adapter: its outputs are the selected features, in the order of the head's columns.
        n_classes: number of classes.
        grid: tokens per column and per row.

    Attributes:
        info: how the head came about: features left out, features in the order of their selection, lambda of the
            path's model, its weights per class and its accuracy on the images it was not fitted on; JSON.
    """

    kind: ClassVar[str] = "sparse"
    head: SparseHead

    def __init__(self, adapter: Adapter, n_classes: int, grid: tuple[int, int]) -> None:
        super().__init__(adapter, SparseHead(n_classes, adapter.width), grid)
        self.info: dict[str, Any] = {}

    @classmethod
    def blank(cls, config: AdapterConfig, dim: int, n_classes: int, grid: tuple[int, int]) -> Self:
        """A model of the right shape whose weights are still to be loaded."""
        return cls(Adapter(config, dim), n_classes, grid)

    @property
    def features(self) -> Tensor:
        """Indices of the features in the dense model, (n_features,) int64, ascending."""
        return self.head.features

    @property
    def bias(self) -> Tensor:
        """What is added to the logit of every class, (n_classes,)."""
        return self.head.bias

    def head_inputs(self, pooled: Tensor) -> Tensor:
        """See `Classifier.head_inputs`: the z-scores."""
        return self.head.standardise(pooled)

    def details(self) -> dict[str, Any]:
        """See `Classifier.details`."""
        return {"path": self.info}

    def restore(self, about: dict[str, Any], where: object) -> None:
        """See `Classifier.restore`."""
        self.info = about.get("path", {})
        require(isinstance(self.info, dict), where, "its path is no object", "how the head came about")

    def check(self, where: object) -> None:
        """See `Classifier.check`; the head must have weights, of features that ascend."""
        super().check(where)
        ascending = self.features[0] >= 0 and bool((self.features.diff() > 0).all())
        require(ascending, where, "its features are not ascending", "each selected feature once, in order")
        require(bool((self.weight != 0).any()), where, "all weights of its head are 0", "some that are not")
