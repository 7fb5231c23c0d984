"""ResNet baseline and ResNet QPM as stages: from a bank of pixels to their values, each through the store."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuner.base.progress import LogProgress
from tuner.features.extract import BankSource
from tuner.recipe import load_recipe
from tuner.search.execute.banks import publish_bank
from tuner.search.execute.plan import StageSpec
from tuner.search.execute.worker import run_stage
from tuner.search.session.precision import settle_precision
from tuner.search.systems.banks import banks_of
from tuner.search.systems.collecting import planned
from tuner.search.systems.table import SYSTEMS
from tuner.store import Artifacts, open_store

OVERRIDES = [
    "data.name=folder",
    "resnet.depth=18",
    "resnet.weights=none",
    "resnet.crop=32",
    "resnet.epochs=2",
    "resnet_qpm.epochs=1",
    "objectives=[accuracy,class_independence]",
]


def squares(folder: Path) -> None:
    """Three classes of 12 images: a square in one of three colours."""
    draw = np.random.default_rng(0)
    for i in range(36):
        pixels = draw.integers(0, 90, (40, 40, 3)).astype(np.uint8)
        pixels[10:30, 10:30, i % 3] = 250
        file = folder / f"class{i % 3}" / f"{i:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)


@pytest.mark.slow
def test_from_pixels_to_values(tmp_path: Path) -> None:
    squares(tmp_path / "images")
    recipe = settle_precision(load_recipe("folder", [*OVERRIDES, f"data.root={tmp_path / 'images'}"]))
    artifacts = Artifacts(open_store(str(tmp_path / "store")))
    systems = [SYSTEMS["resnet"], SYSTEMS["resnet_qpm"]]
    banks = banks_of(systems, recipe, artifacts, LogProgress())
    assert banks["resnet"] == banks["resnet_qpm"], "both start from the same pixels"
    used, remarks = {}, []
    for system in systems:
        row = planned(system, recipe, banks[system.name]).row
        assert row.absent == ""
        remarks.append(row.remark)
        for spec in system.stages(recipe, banks[system.name], 0):
            ended = run_stage(spec, artifacts.store.url, tmp_path / "scratch", 1)
            assert ended.outcome == "complete", ended
        assert 0 <= ended.values["accuracy"] <= 100
        assert "consistency" not in ended.values, "pixels are no tokens"
        used[system.name] = ended.values["n_features_used"]
    assert remarks[0] == "ResNet-18 on squares of 32 pixels, 2 epochs"
    assert remarks[1].startswith("ResNet-18 on squares of 32 pixels, 2 + 1 epochs; 15 features instead of 50")
    assert used == {"resnet": 512, "resnet_qpm": 15}, "three classes of five features use no more"


@pytest.mark.slow
def test_a_bank_of_tokens_is_refused(tmp_path: Path) -> None:
    squares(tmp_path / "images")
    others = ["data.name=folder", f"data.root={tmp_path / 'images'}", "backbone.name=patch_dictionary"]
    recipe = load_recipe("digits", [*others, "objectives=[accuracy,class_independence]", "backbone.n_atoms=8"])
    artifacts = Artifacts(open_store(str(tmp_path / "store")))
    source = BankSource(recipe.data, recipe.backbone)
    publish_bank(artifacts, source, LogProgress())
    split = {"split": {"protocol": "paper", "validation_fraction": 0.25, "split_seed": 0}}
    spec = StageSpec("resnet", {"resnet": recipe.resnet.training(), **split}, {"bank": source.key}, 0)
    ended = run_stage(spec, artifacts.store.url, tmp_path / "scratch", 1)
    assert ended.outcome == "failed"
    assert ended.cause.startswith("a ResNet on the tokens of patch_dictionary")
