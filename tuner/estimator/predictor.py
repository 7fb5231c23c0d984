"""What a fitted `QPMClassifier` says of X: labels, scores, and why."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from tuner.estimator.constructor import Parameters
from tuner.estimator.errors import InputError
from tuner.estimator.explanation import LabelledExplanation, checked_size, is_whole, labelled
from tuner.estimator.images import ImageReader
from tuner.estimator.inputs import image_paths, samples_of, token_maps
from tuner.estimator.labels import known, plain_labels
from tuner.estimator.parameters import usable_device
from tuner.estimator.validation import numbers_to_predict
from tuner.features.samples import Samples
from tuner.qpm import QpmModel, explain
from tuner.qpm.classifier import batches

Floats = NDArray[np.float64]


class Predictor(Parameters):
    """The half of `QPMClassifier` that needs what `fit` has left; X is as in `fit`.

    Attributes:
        classes_: (n_classes,) the labels, sorted.
        grid_: tokens per column and per row.
        model_: the fine-tuned model.
        reader_: reads image paths; None where X holds numbers.
    """

    classes_: NDArray[Any]
    grid_: tuple[int, int]
    model_: QpmModel
    reader_: ImageReader | None

    def predict(self, X: Any) -> NDArray[Any]:
        """The labels of X, (n,)."""
        logits = self._logits(X)
        return np.asarray(self.classes_[logits.argmax(axis=1)])

    def predict_proba(self, X: Any) -> Floats:
        """Softmax over the scores of all classes, (n, n_classes); not calibrated."""
        logits = self._logits(X)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))

    def decision_function(self, X: Any) -> Floats:
        """The scores, (n, n_classes): sums of z-scores. With two classes the second's minus the first's, (n,)."""
        logits = self._logits(X)
        return np.asarray(logits[:, 1] - logits[:, 0]) if len(self.classes_) == 2 else logits

    def feature_scores(self, X: Any) -> Floats:
        """What each feature adds to the scores of its classes, (n, n_features_): its z-score.

        `feature_scores(X) @ assignment_.T` are the scores of all classes.
        """
        samples = self._samples(X)
        with torch.no_grad():
            parts = [self.model_.head.standardise(found.pooled) for _, found in batches(self.model_, samples)]
        return np.asarray(torch.cat(parts).double().cpu().numpy())

    def explain(
        self, X: Any, y: ArrayLike | None = None, *, best: int = 2, image_size: tuple[int, int] | None = None
    ) -> list[LabelledExplanation]:
        """Why each row of X is classified as it is.

        Args:
            X: as in `predict`.
            y: (n,) true labels, whose classes are explained, too. Without them `label` of an explanation is the
                predicted class.
            best: how many classes are explained, those with the highest scores, the predicted one first.
            image_size: height and width of the saliency maps, pixels; the token grid by default.

        Returns:
            One explanation per row. Its classes are positions in `classes_`, its columns positions in `features_`;
            `predicted_label` and `true_label` are the labels themselves.

        Raises:
            InputError: X does not fit, y holds a label that `fit` has not seen, or `best` or `image_size` is wrong.
        """
        if not is_whole(best) or best < 1:
            raise InputError(f"best={best!r}", "a whole number, at least 1", "say how many classes are explained")
        size = checked_size(image_size)
        samples = self._samples(X)
        ranked = np.argsort(-self._scores(samples), axis=1, kind="stable")
        labels = ranked[:, 0] if y is None else known(self.classes_, plain_labels(len(samples), y))
        told = replace(samples, labels=torch.as_tensor(labels, device=samples.device))
        return [
            labelled(explain(self.model_, told, i, classes=wanted, image_size=size), self.classes_)
            for i, wanted in enumerate(np.column_stack([ranked[:, :best], labels]).tolist())
        ]

    def _samples(self, X: Any) -> Samples:
        """X as in `fit`, on the device; labels are 0."""
        check_is_fitted(self, "model_")
        cls = None
        if self.reader_ is None:
            patches, grid = token_maps(numbers_to_predict(self, X), self.grid_)
        else:
            (patches, cls), grid = self.reader_.tokens(image_paths(X)), self.reader_.grid
        if grid != self.grid_:
            raise InputError(
                f"X has {grid[0]} x {grid[1]} tokens per image, and fit saw {self.grid_[0]} x {self.grid_[1]}",
                "the grid of fit",
                "give X of the same backbone and image size as in fit",
            )
        target = usable_device(self.device)
        self.model_.to(target)
        return samples_of(patches, cls, None, grid, len(self.classes_)).to(target)

    def _logits(self, X: Any) -> Floats:
        return self._scores(self._samples(X))

    def _scores(self, samples: Samples) -> Floats:
        parts = [found.logits for _, found in batches(self.model_, samples)]
        return np.asarray(torch.cat(parts).double().cpu().numpy())
