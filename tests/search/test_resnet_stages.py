"""ResNet baseline and ResNet QPM as stages: from a bank of pixels to their values, each through the store."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuner.features.extract import BankSource
from tuner.recipe import load_recipe
from tuner.search.execute.plan import StageSpec, evaluation
from tuner.search.execute.worker import run_stage
from tuner.search.session.precision import settle_precision
from tuner.store import Artifacts, open_store

OVERRIDES = [
    "data.name=folder",
    "backbone.name=pixels",
    "backbone.depth=18",
    "backbone.image_size=40",
    "backbone.weights=none",
    "resnet.crop=32",
    "resnet.epochs=2",
    "resnet_qpm.crop=32",
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
    source = BankSource(recipe.data, recipe.backbone)
    source.extract(tmp_path / "bank")
    artifacts.publish("banks", source.key, tmp_path / "bank", {})

    parts = recipe.at({"n_features": 4, "features_per_class": 2}).to_dict()
    split = {"split": {"protocol": "validation", "validation_fraction": 0.25, "split_seed": 0}}
    bank = {"bank": source.key}
    resnet = StageSpec("resnet", {"resnet": parts["resnet"], **split}, bank, 0)
    program = StageSpec("assign", {"assign": parts["assign"], **split}, {**bank, "resnet": resnet.key}, 0)
    inputs = {**bank, "resnet": resnet.key, "assign": program.key}
    tuned = StageSpec("resnet_qpm", {"resnet_qpm": parts["resnet_qpm"], **split}, inputs, 0)
    for spec in (resnet, evaluation(resnet, "test"), program, tuned, evaluation(tuned, "test")):
        ended = run_stage(spec, artifacts.store.url, tmp_path / "scratch", 1)
        assert ended.outcome == "complete", ended
        if spec.stage == "evaluate":
            assert 0 <= ended.values["accuracy"] <= 100
            assert ended.values["n_features_used"] == (4 if "resnet_qpm" in spec.inputs else 512)


@pytest.mark.slow
def test_a_bank_of_tokens_is_refused(tmp_path: Path) -> None:
    squares(tmp_path / "images")
    others = ["data.name=folder", f"data.root={tmp_path / 'images'}", "backbone.name=patch_dictionary"]
    recipe = load_recipe("digits", [*others, "objectives=[accuracy,class_independence]", "backbone.n_atoms=8"])
    artifacts = Artifacts(open_store(str(tmp_path / "store")))
    source = BankSource(recipe.data, recipe.backbone)
    source.extract(tmp_path / "bank")
    artifacts.publish("banks", source.key, tmp_path / "bank", {})
    split = {"split": {"protocol": "paper", "validation_fraction": 0.25, "split_seed": 0}}
    spec = StageSpec("resnet", {"resnet": recipe.to_dict()["resnet"], **split}, {"bank": source.key}, 0)
    ended = run_stage(spec, artifacts.store.url, tmp_path / "scratch", 1)
    assert ended.outcome == "failed"
    assert ended.cause.startswith("a ResNet on the tokens of patch_dictionary")
