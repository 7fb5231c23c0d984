"""An exported model folder: safetensors and JSON, loaded back with one call, predicting on image files.

model.safetensors, model.json     the fine-tuned adapter and its binary head
training.safetensors              statistics of the training images: feature strengths, distances between images
backbone.safetensors              what a fitted backbone learned; pre-trained ones are named, not copied
card.json                         classes, backbone, where the model comes from and why it was picked
"""

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuner.base.folders import checked_path
from tuner.base.text import readable
from tuner.base.untrusted import plain_file, read_tensors, require, shown, tensor_table, unsound
from tuner.card import Card, read_card, settled_weights, write_card
from tuner.data.dataset import Dataset, FilePictures
from tuner.errors import TunerError, UsageError
from tuner.features.backbone import Backbone, load_fitted
from tuner.features.bank import FeatureBank
from tuner.features.device import choose_device
from tuner.features.kept import as_kept
from tuner.features.likeness import Likeness
from tuner.features.loading import batches
from tuner.features.registry import make_backbone
from tuner.features.resize import resolved
from tuner.features.samples import Samples
from tuner.features.settings import BackboneSettings
from tuner.features.timm_backbone import FIRST, timm_of
from tuner.qpm.classifier import Activations
from tuner.qpm.explanation import Floats, explain
from tuner.qpm.finetuning import QpmModel
from tuner.qpm.strength import full_strength
from tuner.report.prediction import Prediction

BACKBONE, TRAINING, MODEL = "backbone.safetensors", "training.safetensors", ("model.safetensors", "model.json")


class ExportedModel:
    """A model with its backbone, ready for image files.

    Attributes:
        model: the fine-tuned model.
        card: where it comes from, its parameters, its measured values and why it was picked.
        class_names: one name per class.
        full: the value of each map that is shown at full strength, (n_features,); None for an earlier version's export.
        likeness: the training images' tokens, against which images are measured; None likewise, or if they were few.
    """

    def __init__(
        self,
        model: QpmModel,
        backbone: Backbone,
        card: Card,
        device: torch.device,
        full: Floats | None = None,
        likeness: Likeness | None = None,
    ) -> None:
        self.model, self.card, self.class_names = model, card.content, card.class_names
        self._backbone, self._device = backbone, device
        self._geometry = resolved(card.backbone.geometry, backbone.key_material())
        self.full, self.likeness = full, likeness

    def predict(self, images: Sequence[Path | str], *, batch_size: int = 32) -> list[Prediction]:
        """Classify image files and explain each decision.

        Raises:
            UsageError: `images` is no list of paths.
            TunerError: naming the first image that cannot be read.
        """
        if isinstance(images, str | os.PathLike):
            raise UsageError(f"images={os.fspath(images)!r} is one path", "a list of paths", "write [path]")
        if isinstance(batch_size, bool) or batch_size < 1:
            raise UsageError(f"batch_size={batch_size!r}", "a whole number, at least 1", "raise it")
        paths = [checked_path(image, "an image") for image in images]
        if not paths:
            return []
        samples = self._tokens(paths, batch_size)
        return [self._prediction(samples, i, path) for i, path in enumerate(paths)]

    def _prediction(self, samples: Samples, i: int, path: Path) -> Prediction:
        explanation = explain(self.model, samples, i, best=2)
        self._require_finite(path, torch.from_numpy(explanation.logits))
        best, second = explanation.evidence
        names, distance = self.class_names, None
        if self.likeness is not None:
            (distance,) = self.likeness.distances(samples.patches[i : i + 1].cpu().numpy())
        return Prediction(path, names[best], names[second], explanation, names, distance, self.full, self._geometry)

    @property
    def image_size(self) -> int:
        """Side of the square that enters the backbone, pixels."""
        return self._backbone.image_size

    @property
    def geometry(self) -> str:
        """Which part of an image becomes that square."""
        return self._geometry

    @torch.no_grad()
    def activations(self, images: Tensor) -> Activations:
        """What the model makes of images as they enter the backbone, (n, 3, image_size, image_size) uint8."""
        tokens = self._backbone.tokens(images.to(self._device))
        found: Activations = self.model.eval()(*as_kept(self._backbone, *tokens))
        return found

    def __repr__(self) -> str:
        n_features, n_classes = self.model.features.numel(), len(self.class_names)
        return f"<ExportedModel of {readable(self.card['data'])}: {n_classes} classes, {n_features} features>"

    def _repr_html_(self) -> str:
        from tuner.report.snippets import model_snippet

        return model_snippet(self.card, self.model.features.numel())

    @torch.no_grad()
    def try_out(self, where: object) -> None:
        """Run everything on a black image and on one of random pixels.

        Raises:
            MalformedError: the result is not finite; it names `where` the model is from.
        """
        size = self._backbone.image_size
        generator = torch.Generator().manual_seed(0)
        noise = torch.randint(0, 256, (3, size, size), generator=generator, dtype=torch.uint8)
        images = torch.stack([torch.zeros_like(noise), noise]).to(self._device)
        patches, cls = self._backbone.tokens(images)
        self._require_finite(where, *as_kept(self._backbone, patches, cls))
        self._require_finite(where, self.model.logits(patches, cls))
        if self.likeness is not None:
            values = [distance.value for distance in self.likeness.distances(patches.cpu().numpy())]
            self._require_finite(where, torch.tensor([*values, self.likeness.limit]))

    def _require_finite(self, where: object, *parts: Tensor) -> None:
        finite = all(bool(torch.isfinite(part).all()) for part in parts)
        require(finite, where, "on an image its backbone or its model gives no finite numbers", "finite numbers")

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
        size, grid, geometry = self._backbone.image_size, self._backbone.grid, self._geometry
        patches, cls = [], []
        for batch in batches(dataset, np.arange(n), size, grid, batch_size, geometry):
            tokens = as_kept(self._backbone, *self._backbone.tokens(batch.images.to(self._device)))
            self._require_finite(paths[int(batch.index[0])], *tokens)
            patches.append(tokens[0])
            cls += tokens[1:]
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
    folder: Path, model: QpmModel, bank: FeatureBank, backbone: BackboneSettings, data_name: str, about: dict[str, Any]
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
    made_by = bank.backbone or make_backbone(backbone, data_name, offline=True).key_material()
    card: dict[str, Any] = {"class_names": list(bank.class_names), "data": data_name}
    card |= {"backbone": dataclasses.asdict(backbone), "backbone_key": _hash(made_by), **about}
    card["backbone_licence"] = bank.licence
    if version := timm_of(made_by):
        card["timm"] = version
    training: dict[str, NDArray[Any]] = {"full": full_strength(model, bank)}
    likeness = Likeness.fit(bank.patches, np.flatnonzero(bank.is_train), bank.grid)
    training |= {} if likeness is None else likeness.arrays()
    (folder / TRAINING).write_bytes(safetensors.numpy.save(training))
    if (bank.folder / BACKBONE).exists():
        tensor_table(bank.folder / BACKBONE)  # `load_model` would refuse anything else
        shutil.copyfile(bank.folder / BACKBONE, folder / BACKBONE)
    write_card(folder, card)


def load_model(folder: Path | str, *, device: str = "auto", weights: str = "") -> ExportedModel:
    """Load a model folder written by `export_model`; nothing in it can run code, name files to read, or call out.

    Args:
        folder: the model folder.
        device: `auto`, `cpu`, `cuda`, `cuda:1` ...
        weights: of a pre-trained backbone: a file or folder, where they are not the backbone's usual ones.

    Raises:
        TunerError: it is not a model folder or is damaged, or its pre-trained backbone is missing or differs.
        UsageError: its backbone's weights were in a file of the exporting machine, and `weights` is not given.
    """
    folder = checked_path(folder, "folder")
    card = read_card(folder, MODEL)
    network = QpmModel.load(folder)
    n, names = network.n_classes, len(card.class_names)
    require(n == names, folder, f"it has {n} classes and {names} names of classes", "one name per class")
    config, target = settled_weights(card, folder, weights), choose_device(device)
    try:
        backbone = make_backbone(config, card.data, offline=True)
    except UsageError as error:  # its settings do not fit each other: the folder is at fault, not the user
        raise unsound(folder, error.what, error.expected) from error
    if _hash(backbone.key_material()) != card.backbone_key:
        _refuse_other_timm(card, backbone, folder)
        raise TunerError(
            f"the backbone of {folder} is not the one at {config.weights or 'its usual source'}",
            "the same weights that the model was trained with",
            "give their path on this machine: `weights=PATH`",
        )
    sizes, own = (network.adapter.dim, network.grid), (backbone.dim, backbone.grid)
    require(sizes == own, folder, f"its tokens are of {sizes}, its backbone's of {own}", "one width and one grid")
    full, likeness = (None, None) if card.format == 1 else _training(folder, network)
    backbone.load(target)
    fitted = folder / BACKBONE
    if backbone.needs_fit():
        load_fitted(backbone, plain_file(fitted, within=folder))
    else:
        require(not os.path.lexists(fitted), fitted, "its backbone learns nothing from data", "no such file")
    model = ExportedModel(network.to(target), backbone, card, target, full, likeness)
    model.try_out(folder)
    return model


def _training(folder: Path, model: QpmModel) -> tuple[Floats, Likeness | None]:
    """How strong each feature gets in training, and how far the training images lie apart.

    Raises:
        MalformedError: the file holds something else.
    """
    file = plain_file(folder / TRAINING, within=folder)
    table = tensor_table(file)
    expected = {name: ("F32", shape) for name, (_, shape) in table.items()}
    arrays = read_tensors(file, expected | {"full": ("F32", tuple(model.features.shape))})
    full = arrays.pop("full")
    require((full > 0).all(), file, "a strength is not above 0", "strengths above 0")
    return full, Likeness.of(arrays, model.adapter.dim, model.grid, file) if arrays else None


def _refuse_other_timm(card: Card, backbone: Backbone, folder: Path) -> None:
    """Refuse a network of timm whose code here is that of another version than the one that made the training features.

    Raises:
        TunerError: naming both versions.
    """
    here, there = timm_of(backbone.key_material()), card.content.get("timm", FIRST)
    if here and here != there:
        raise TunerError(
            f"the features of {folder} are those of timm {shown(there)}, and timm {here} is installed",
            "the version of timm that the model was trained with: another one may compute other features",
            f"pip install timm=={shown(there)}, or search again with timm {here}",
        )


def _hash(material: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(material, sort_keys=True).encode()).hexdigest()
