"""Pictures of a picked model for the report: some classes with their features, and two classes side by side."""

import re

import numpy as np
import torch

from tuner.base.text import readable
from tuner.data.dataset import Dataset
from tuner.errors import TunerError
from tuner.features.bank import FeatureBank
from tuner.features.geometry import part_shown
from tuner.features.resize import resolved
from tuner.features.samples import Samples
from tuner.qpm.explanation import explain, nearest_classes
from tuner.qpm.finetuning import QpmModel
from tuner.qpm.strength import full_strength
from tuner.report.prediction import feature_views
from tuner.report.views import ClassView, ComparisonView, ImageView

SHOWN_CLASSES = 5
CANDIDATES = 12


class ModelPictures:
    """Views of a model's classes on held-out images.

    Args:
        model: the picked model.
        bank: the feature bank it was trained on.
        dataset: the images themselves.
        geometry: which part of an image the backbone saw: see `tuner.features.geometry`.

    Raises:
        TunerError: the data set no longer lists the images of the bank.
    """

    def __init__(self, model: QpmModel, bank: FeatureBank, dataset: Dataset, geometry: str = "squash") -> None:
        require_same_images(dataset, bank)
        self._full = full_strength(model, bank)
        self._model, self._bank, self._dataset, self._geometry = model, bank, dataset, resolved(geometry, bank.backbone)
        self._held_out = np.flatnonzero(~bank.is_train)

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name per class."""
        return self._bank.class_names

    def classes(self) -> list[ClassView]:
        """The class that shares the most features with others, and its nearest classes."""
        first = self._most_sharing()
        shown = [first, *nearest_classes(self._model, first, SHOWN_CLASSES - 1)]
        return [self._view(c) for c in shown]

    def comparison(self) -> ComparisonView:
        """The two classes that share the most features."""
        first = self._most_sharing()
        return ComparisonView(self._view(first), self._view(nearest_classes(self._model, first, 1)[0]))

    def pair(self, first: int, second: int) -> ComparisonView:
        """Two classes by their labels."""
        return ComparisonView(self._view(first), self._view(second))

    def _most_sharing(self) -> int:
        shared = self._model.assignment.int() @ self._model.assignment.int().T
        shared.fill_diagonal_(-1)
        return int(shared.max(1).values.argmax())

    def _view(self, label: int) -> ClassView:
        index, sample, among = self._example(label)
        found = explain(self._model, sample, 0, classes=[label])
        image = part_shown(self._dataset.pictures.image(index), self._geometry)
        split = "train" if self._bank.is_train[index] else "test"
        name, predicted = (spoken(self.class_names[c]) for c in (label, found.predicted))
        source = ImageView(readable(self._bank.paths[index]), split, name, predicted, among)
        return ClassView(name, image, feature_views(found.evidence[label], self._full), source)

    @torch.no_grad()
    def _example(self, label: int) -> tuple[int, Samples, int]:
        """The image with the largest logit margin among a class's first few held-out images, and their number."""
        chosen = self._held_out[self._bank.labels[self._held_out] == label][:CANDIDATES]
        if len(chosen) == 0:
            chosen = np.flatnonzero(self._bank.labels == label)[:CANDIDATES]
        if len(chosen) == 0:
            what = f"class {readable(self.class_names[label])} has no image"
            raise TunerError(what, "an image of each class that is shown", "look at other classes")
        samples = self._bank.samples(chosen)
        logits = self._model.logits(
            samples.resident_patches.float(), None if samples.cls is None else samples.cls.float()
        )
        own = logits[:, label].clone()
        logits[:, label] = -torch.inf
        best = int((own - logits.max(1).values).argmax())
        return int(chosen[best]), samples.subset(torch.tensor([best])), len(chosen)


def require_same_images(dataset: Dataset, bank: FeatureBank) -> None:
    """Refuse pictures of images that the features are not of.

    Raises:
        TunerError: the data set no longer lists the images of the bank.
    """
    if dataset.paths != bank.paths:
        raise TunerError(
            f"data set {dataset.name} lists other images ({len(dataset):,}) than the search used ({len(bank):,})",
            "the images as they were when the search started, since other images do not match these features",
            "restore them, or set data.root to their folder",
        )


def spoken(class_name: str) -> str:
    """A class's name for people: "010.Red_winged_Blackbird" is a Red winged Blackbird, "1.5" stays as it is."""
    return re.sub(r"^\d+\.(?=[^\W\d])", "", readable(class_name)).replace("_", " ")
