"""An exported model folder: safetensors and JSON, loaded back with one call, predicting on image files.

model.safetensors, model.json     the fine-tuned adapter and its binary head
backbone.safetensors              what a fitted backbone learned; pre-trained ones are named, not copied
card.json                         classes, backbone, where the model comes from and why it was picked
"""

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from tuner.data.dataset import Dataset, FilePictures
from tuner.data.pixels import read_image
from tuner.errors import TunerError
from tuner.features.backbone import Backbone, make_backbone
from tuner.features.bank import FeatureBank
from tuner.features.device import choose_device
from tuner.features.loading import batches
from tuner.features.samples import Samples
from tuner.features.settings import BackboneConfig
from tuner.front.explanation import Decision
from tuner.front.views import ClassView, ComparisonView, FeatureView
from tuner.qpm.explain import Explanation, explain
from tuner.qpm.finetune import QpmModel

CARD, BACKBONE = "card.json", "backbone.safetensors"
FORMAT = 1


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """What an exported model says of one image.

    Attributes:
        path: the image file.
        class_name: the predicted class.
        runner_up: the second best class.
        explanation: features of the predicted class and the runner-up, with saliency maps at token resolution.
        class_names: all classes, by index.
    """

    path: Path
    class_name: str
    runner_up: str
    explanation: Explanation
    class_names: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON: class, logit, and each feature's contribution with where it fires (row, column on the grid)."""
        evidence = self.explanation.evidence[self.explanation.predicted]
        return {
            "image": str(self.path),
            "class": self.class_name,
            "logit": float(self.explanation.logits[self.explanation.predicted]),
            "runner_up": self.runner_up,
            "features": [
                {"feature": e.column, "contribution": e.contribution, "peak": _peak(e.saliency)} for e in evidence
            ],
        }

    def decision(self) -> Decision:
        """The predicted class against the runner-up on this image, to be drawn."""
        pixels = np.asarray(read_image(self.path))
        sides = [
            ClassView(
                self.class_names[label], pixels, [FeatureView(e.column, e.saliency, e.contribution) for e in evidence]
            )
            for label, evidence in self.explanation.evidence.items()
        ]
        return Decision(self.path.name, ComparisonView(*sides))

    def sentence(self) -> str:
        """One line for a terminal."""
        evidence = self.explanation.evidence[self.explanation.predicted]
        parts = ", ".join(f"feature {e.column} ({e.contribution:+.2f})" for e in evidence)
        return f"{self.path}: {self.class_name} because of {parts}; next: {self.runner_up}"


class ExportedModel:
    """A model with its backbone, ready for image files.

    Attributes:
        model: the fine-tuned model.
        card: where it comes from, its parameters, its measured values and why it was picked.
    """

    def __init__(self, model: QpmModel, backbone: Backbone, card: dict[str, Any], device: torch.device) -> None:
        self.model, self.card = model, card
        self._backbone, self._device = backbone, device

    @property
    def class_names(self) -> tuple[str, ...]:
        """One name a class."""
        return tuple(self.card["class_names"])

    def predict(self, images: Sequence[Path | str], *, batch_size: int = 32) -> list[Prediction]:
        """Classify image files and explain each decision.

        Raises:
            TunerError: naming the first image that cannot be read.
        """
        paths = [Path(image) for image in images]
        samples = self._tokens(paths, batch_size)
        return [self._prediction(samples, i, path) for i, path in enumerate(paths)]

    def _prediction(self, samples: Samples, i: int, path: Path) -> Prediction:
        logits = self.model.logits(samples.patches[i : i + 1], None if samples.cls is None else samples.cls[i : i + 1])
        best, second = logits[0].topk(2).indices.tolist()
        explanation = explain(self.model, samples, i, classes=[best, second])
        names = self.class_names
        return Prediction(path, names[best], names[second], explanation, names)

    @torch.no_grad()
    def _tokens(self, paths: Sequence[Path], batch_size: int) -> Samples:
        n = len(paths)
        dataset = Dataset(
            name="images",
            paths=tuple(map(str, paths)),
            labels=np.zeros(n, dtype=np.int64),
            is_train=np.zeros(n, dtype=np.bool_),
            class_names=self.class_names,
            has_mask=np.zeros(n, dtype=np.bool_),
            pictures=FilePictures(paths, [None] * n),
        )
        size, grid = self._backbone.image_size, self._backbone.grid
        patches, cls = [], []
        for batch in batches(dataset, np.arange(n), size, grid, batch_size):
            tokens, summary = self._backbone.tokens(batch.images.to(self._device))
            patches.append(tokens.half().float())  # as the bank keeps them
            cls += [] if summary is None else [summary.half().float()]
        return Samples(
            patches=torch.cat(patches),
            cls=torch.cat(cls) if cls else None,
            labels=torch.zeros(n, dtype=torch.int64),
            masks=None,
            has_mask=None,
            grid=grid,
            n_classes=len(self.class_names),
        ).to(self._device)


def export_model(
    folder: Path, model: QpmModel, bank: FeatureBank, backbone: BackboneConfig, data_name: str, about: dict[str, Any]
) -> None:
    """Write a model folder.

    Args:
        folder: where; made if need be.
        model: the fine-tuned model.
        bank: the feature bank it was trained on.
        backbone: the recipe's backbone.
        data_name: the recipe's data set, which names published pixel statistics.
        about: where the model comes from; JSON.
    """
    model.save(folder)
    card = {"format": FORMAT, "class_names": list(bank.class_names), "data": data_name}
    card |= {"backbone": dataclasses.asdict(backbone), "backbone_key": _backbone_key(backbone, data_name), **about}
    if (bank.folder / BACKBONE).exists():
        shutil.copyfile(bank.folder / BACKBONE, folder / BACKBONE)
    (folder / CARD).write_text(json.dumps(card, indent=1, allow_nan=False), encoding="utf-8")


def load_model(folder: Path | str, *, device: str = "auto") -> ExportedModel:
    """Load a model folder written by `export_model`; nothing in it can run code.

    Raises:
        TunerError: if it is no model folder, or its pre-trained backbone is missing or another one.
    """
    folder = Path(folder)
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        config = BackboneConfig(**card["backbone"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TunerError(
            f"{folder} is no exported model ({error})", f"a folder with {CARD}", "write one with jobs.pick --export DIR"
        ) from None
    backbone, target = make_backbone(config, card["data"]), choose_device(device)
    if _backbone_key(config, card["data"]) != card["backbone_key"]:
        raise TunerError(
            f"the backbone of {folder} is not the one at {config.weights or 'its usual source'}",
            "the very weights the model was trained on",
            f"set backbone.weights in {folder / CARD} to their place on this machine",
        )
    backbone.load(target)
    if (folder / BACKBONE).exists():
        backbone.load_state(safetensors.torch.load_file(folder / BACKBONE, device=str(target)))
    return ExportedModel(QpmModel.load(folder).to(target), backbone, card, target)


def _backbone_key(config: BackboneConfig, data_name: str) -> str:
    material = json.dumps(make_backbone(config, data_name).key_material(), sort_keys=True)
    return hashlib.sha256(material.encode()).hexdigest()


def _peak(saliency: Any) -> list[int]:
    row, column = np.unravel_index(int(np.argmax(saliency)), saliency.shape)
    return [int(row), int(column)]
