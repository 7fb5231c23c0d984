"""What people are told of images and masks while a bank of them is made, by a backbone that makes nothing of them."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tuner.data.dataset import Dataset
from tuner.data.settings import DataConfig
from tuner.features import register_backbone
from tuner.features.backbone import Pretrained, Tokens
from tuner.features.extract import Alone, BankSource
from tuner.features.kinds import BACKBONES
from tuner.features.pieces import Extractor
from tuner.features.settings import BackboneSettings
from tuner.features.shelf import FolderShelf

NAME = "looks_only"


class _Looks(Pretrained):
    image_size, grid, dim, has_cls = 4, (2, 2), 1, False

    def key_material(self) -> dict[str, Any]:
        return {"name": NAME}

    def load(self, device: torch.device) -> None:
        pass

    def tokens(self, images: torch.Tensor) -> Tokens:
        return torch.zeros(len(images), 4, 1), None


def check_images(dataset: Dataset) -> list[str]:
    """Extract them; returns the notes on images and masks.

    Raises:
        TunerError: as an extraction does.
    """
    register_backbone(NAME, lambda config, **_: _Looks())
    settings, notes = BackboneSettings(NAME), list[str]()
    try:
        with tempfile.TemporaryDirectory() as place:
            shelf = FolderShelf(Path(place))
            team = Alone(Extractor(settings, dataset.name, shelf.folder, "cpu"), shelf, None, lambda _: None)
            alike = replace(dataset, content=None)  # equal images under two labels, which other tests are about
            BankSource(DataConfig(), settings, alike).build(shelf.folder, shelf, team, notes.append)
    finally:
        BACKBONES.remove(NAME)
    return notes[len(dataset.notes) :]
