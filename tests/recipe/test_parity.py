"""The recipe `parity` is the published configuration, setting by setting, and runs on an archive as it is published."""

import io

import pytest
from rich.console import Console

from tests.cub import CLASSES, TEST, TRAIN, write_cub, write_dinov2
from tuner.base.progress import ConsoleProgress
from tuner.recipe import caution, load_recipe
from tuner.recipe.schema import lookup
from tuner.search.record.home import SearchHome
from tuner.search.session.precision import settle_precision
from tuner.store import open_store

# docs/explanation/method.md#published-settings, from the paper's released configuration and code
PUBLISHED = {
    "data.name": "cub",
    "protocol": "paper",  # trained on all of train, measured on test
    "backbone.name": "dinov2",
    "backbone.weights": "facebook/dinov2-with-registers-base",  # ViT-B/14, 4 registers
    "backbone.image_size": 224,
    "backbone.geometry": "squash",
    "backbone.preprocessing": "parity",  # dataset statistics, then min-max of each image
    "backbone.layer": -1,
    "backbone.norm": True,
    "backbone.position_antialias": False,
    "backbone.position_offset": 0.1,
    "adapter.width": 512,
    "adapter.hidden": 2048,
    "adapter.n_layers": 4,
    "adapter.pooling": "avg",
    "adapter.activation": "relu",
    "adapter.dropout": 0.0,
    "adapter.batch_norm": True,
    "adapter.cls_in_batch_norm": True,  # statistics over 257 tokens
    "adapter.residual": False,
    "adapter.scale": False,
    "dense.epochs": 25,
    "dense.batch_size": 32,
    "dense.lr": 1e-3,
    "dense.weight_decay": 7e-4,
    "dense.diversity": 0.5,
    "dense.l1": 0.0,
    "dense.l1_vector": 0.0,
    "dense.dropout": 0.2,
    "dense.held_out": 0.0,  # all of train
    "dense.reestimate_batch_norm": False,  # running statistics as gathered while training
    "dense.precision": "float32",
    "assign.n_features": 50,
    "assign.features_per_class": 5,
    "assign.variant": "released",
    "assign.locality_bias": "off",
    "assign.control": "none",
    "assign.forced_pairs": 0,
    "assign.on": "train",  # A, R, mu and sigma are of the images that the dense model was trained on
    "finetune.epochs": 25,
    "finetune.batch_size": 16,
    "finetune.lr": 5e-3,
    "finetune.weight_decay": 8e-4,
    "finetune.diversity": 1.0,
    "finetune.l1": 5.0,
    "finetune.l1_vector": 1.0,
    "finetune.grounding": 0.0,
    "finetune.dropout": 0.0,
    "finetune.reestimate_batch_norm": False,
    "finetune.precision": "float32",
    "budget.trials": 1,
}
SMALL = ("adapter.width=24", "adapter.hidden=24", "assign.n_features=12", "dense.epochs=1", "finetune.epochs=1")


def test_every_setting_is_the_published_one():
    recipe = load_recipe("parity")
    assert {name: lookup(recipe, name) for name in PUBLISHED} == PUBLISHED


def test_it_computes_in_float32_and_chooses_nothing_on_test():
    recipe = load_recipe("parity")
    settled = settle_precision(recipe)
    assert (settled.dense.precision, settled.finetune.precision) == ("float32", "float32")
    assert caution(recipe, None, 0) == ""
    assert "all 3 trials" in caution(load_recipe("parity", ["budget.trials=3"]), None, 0)


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(200)
def test_it_runs_on_an_archive_and_a_second_trial_is_cautioned_against(tmp_path):
    from tuner.search.driver.run import SearchRequest, run_request

    given = [f"data.root={write_cub(tmp_path)}", f"backbone.weights={write_dinov2(tmp_path / 'dinov2')}", *SMALL]
    recipe = load_recipe("parity", [*given, "space.seed={choices: [0, 1]}", "budget.trials=2"])
    console, store = Console(file=io.StringIO(), width=400), open_store(str(tmp_path / "runs"))
    result = run_request(SearchRequest(store, "parity", recipe), ConsoleProgress(console))
    trials = result.state.finished()
    assert [trial.outcome for trial in trials] == ["complete", "complete"]
    published = {"accuracy", "plausibility", "sid5", "class_independence", "contrastiveness", "structural_grounding"}
    for trial in trials:
        assert published <= set(trial.values)
        assert trial.values["n_images"] == CLASSES * TEST
        assert trial.values["n_train_images"] == CLASSES * TRAIN
        assert trial.test == {}  # the objectives are test figures already
    assert "measures all 2 trials on the test images" in console.file.getvalue()
    assert "all 2 trials" in SearchHome(store, "parity").front().caution
