"""An exported model folder: safetensors and JSON, loaded back with one call, predicting on image files.

model.safetensors, model.json     the fine-tuned adapter and its binary head
training.safetensors              what training looked like: how strong each feature gets, how far images lie apart
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
import safetensors.numpy
import safetensors.torch
import torch
from numpy.typing import NDArray

from tuner.data.dataset import Dataset, FilePictures
from tuner.data.pixels import read_image
from tuner.errors import TunerError
from tuner.features.backbone import Backbone, make_backbone
from tuner.features.bank import FeatureBank
from tuner.features.device import choose_device
from tuner.features.likeness import Distance, Likeness
from tuner.features.loading import batches
from tuner.features.samples import Samples
from tuner.features.settings import BackboneConfig
from tuner.front.explanation import Decision
from tuner.front.names import readable
from tuner.front.tiles import Pixels
from tuner.front.verdicts import Verdict
from tuner.front.views import ClassView, ComparisonView, FeatureView
from tuner.qpm.explain import Evidence, Explanation, Floats, explain
from tuner.qpm.finetune import QpmModel
from tuner.qpm.storage import whole
from tuner.qpm.strength import full_strength

CARD, BACKBONE, TRAINING = "card.json", "backbone.safetensors", "training.safetensors"
NO_PIXELS = np.zeros((1, 1, 3), dtype=np.uint8)  # words need none
FORMAT = 2  # 1 had no training.safetensors


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """What an exported model says of one image.

    Attributes:
        path: the image file.
        class_name: the predicted class.
        runner_up: the second best class.
        explanation: features of the predicted class and the runner-up, with saliency maps at token resolution.
        class_names: all classes, by index.
        distance: from the training images; None if the model was exported by an earlier version.
        full: (n_features,) the value of each map that is shown at full strength; None likewise.
    """

    path: Path
    class_name: str
    runner_up: str
    explanation: Explanation
    class_names: tuple[str, ...]
    distance: Distance | None = None
    full: Floats | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON; see `documents` for what each number is relative to."""
        return self._decision(readable(self.path), NO_PIXELS).to_dict()

    def sentence(self) -> str:
        """A few lines for a terminal."""
        return self._decision(readable(self.path), NO_PIXELS).sentence()

    def decision(self) -> Decision:
        """The predicted class against the runner-up on this image, to be drawn."""
        return self._decision(readable(self.path.name), np.asarray(read_image(self.path)))

    def _decision(self, title: str, pixels: Pixels) -> Decision:
        best, second = self.explanation.evidence
        shares = self.explanation.probabilities
        verdict = Verdict(float(shares[best]), float(shares[second]), self.distance)
        return Decision(title, ComparisonView(self._view(best, pixels), self._view(second, pixels)), verdict)

    def _view(self, label: int, pixels: Pixels) -> ClassView:
        features = feature_views(self.explanation.evidence[label], self.full)
        return ClassView(readable(self.class_names[label]), pixels, features)


class ExportedModel:
    """A model with its backbone, ready for image files.

    Attributes:
        model: the fine-tuned model.
        card: where it comes from, its parameters, its measured values and why it was picked.
        full: the value of each map that is shown at full strength, (n_features,); None for an earlier version's export.
        likeness: the training images' tokens, against which images are measured; None likewise, or if they were few.
    """

    def __init__(
        self,
        model: QpmModel,
        backbone: Backbone,
        card: dict[str, Any],
        device: torch.device,
        training: dict[str, Floats] | None = None,
    ) -> None:
        self.model, self.card = model, card
        self._backbone, self._device = backbone, device
        self.full: Floats | None = None if training is None else training["full"]
        self.likeness = Likeness.of(training) if training and "directions" in training else None

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
        explanation = explain(self.model, samples, i, best=2)
        best, second = explanation.evidence
        names, distance = self.class_names, None
        if self.likeness is not None:
            (distance,) = self.likeness.distances(samples.patches[i : i + 1].cpu().numpy())
        return Prediction(path, names[best], names[second], explanation, names, distance, self.full)

    @torch.no_grad()
    def try_out(self) -> None:
        """Run everything on a black image; what does not fit together raises an error of any kind."""
        if len(self.class_names) != self.model.n_classes or not all(isinstance(name, str) for name in self.class_names):
            raise ValueError(f"{len(self.class_names)} class names for {self.model.n_classes} classes")
        if self.full is not None and not (self.full.shape == self.model.features.shape and (self.full > 0).all()):
            raise ValueError(f"strengths of {self.full.shape} features, not all above 0")
        size = self._backbone.image_size
        patches, cls = self._backbone.tokens(torch.zeros(1, 3, size, size, dtype=torch.uint8, device=self._device))
        self.model.logits(patches, cls)
        if self.likeness is not None:
            self.likeness.distances(patches.cpu().numpy())

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
    training: dict[str, NDArray[Any]] = {"full": full_strength(model, bank)}
    likeness = Likeness.fit(bank.patches, np.flatnonzero(bank.is_train), bank.grid)
    training |= {} if likeness is None else likeness.arrays()
    safetensors.numpy.save_file(training, folder / TRAINING)
    if (bank.folder / BACKBONE).exists():
        shutil.copyfile(bank.folder / BACKBONE, folder / BACKBONE)
    (folder / CARD).write_text(json.dumps(card, indent=1, allow_nan=False), encoding="utf-8")


def load_model(folder: Path | str, *, device: str = "auto") -> ExportedModel:
    """Load a model folder written by `export_model`; nothing in it can run code.

    Raises:
        TunerError: if it is no model folder or a damaged one, or its pre-trained backbone is missing or another one.
    """
    folder = Path(folder)
    if not (folder / CARD).is_file():
        todo = "check the path, or write one with jobs.pick --export DIR"
        raise TunerError(f"{folder} is no exported model", f"a folder with {CARD}", todo)
    with whole(folder, "exported model"):
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        config, data, key = BackboneConfig(**card["backbone"]), card["data"], card["backbone_key"]
        if card["format"] not in range(1, FORMAT + 1):
            raise TunerError(
                f"{folder} was exported in format {card['format']!r}",
                f"a format up to {FORMAT}",
                "export it again with this version of qpm-tuner, or use the version that wrote it",
            )
        training = safetensors.numpy.load_file(folder / TRAINING) if card["format"] > 1 else None
    backbone, target = make_backbone(config, data), choose_device(device)
    if _backbone_key(config, data) != key:
        raise TunerError(
            f"the backbone of {folder} is not the one at {config.weights or 'its usual source'}",
            "the very weights the model was trained on",
            f"set backbone.weights in {folder / CARD} to their place on this machine",
        )
    backbone.load(target)
    network = QpmModel.load(folder).to(target)
    with whole(folder, "exported model"):
        if backbone.needs_fit() or (folder / BACKBONE).exists():
            backbone.load_state(safetensors.torch.load_file(folder / BACKBONE, device=str(target)))
        model = ExportedModel(network, backbone, card, target, training)
        model.try_out()
    return model


def feature_views(evidence: Sequence[Evidence], full: Floats | None) -> list[FeatureView]:
    """Features to be drawn, on the scale of training where it is known."""
    scales = [None if full is None else float(full[e.column]) for e in evidence]
    return [FeatureView(e.column, e.saliency, e.contribution, full=f) for e, f in zip(evidence, scales, strict=True)]


def _backbone_key(config: BackboneConfig, data_name: str) -> str:
    material = json.dumps(make_backbone(config, data_name).key_material(), sort_keys=True)
    return hashlib.sha256(material.encode()).hexdigest()
