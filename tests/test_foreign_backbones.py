"""A model folder whose card names weights elsewhere: no hub is asked, no file is read that the user has not named."""

import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jobs import explain
from tests.exported import Exported, export_digits, written
from tests.packages import optional
from tuner.card import CARD
from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError
from tuner.features.extract import extract_bank
from tuner.features.registry import make_backbone
from tuner.features.settings import BackboneConfig
from tuner.model import export_model, load_model
from tuner.qpm import AdapterConfig, AssignConfig, DenseConfig, assign, assigned_model, dense_features, train_dense

transformers = optional("transformers", "dino")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
THEN_ASK = """
import os, sys, urllib.error, urllib.request
from jobs import explain
from tuner.features.dinov2_weights import hub_folder
code = explain.main(sys.argv[1:])
try:
    urllib.request.urlopen(os.environ["HF_ENDPOINT"] + "/explained")
except urllib.error.HTTPError:
    hub_folder("facebook/dinov2-base") if code == 1 else sys.exit("explained")
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export_digits(tmp_path_factory.mktemp("exported"))


def naming(exported: Exported, root: Path, **backbone: object) -> Path:
    """A copy of the export whose card names another backbone."""
    shutil.copytree(exported.folder, root / "model")
    card = json.loads((root / "model" / CARD).read_text())
    card["backbone"] |= {"name": "dinov2", **backbone}
    (root / "model" / CARD).write_text(json.dumps(card))
    return root / "model"


@pytest.fixture
def hub() -> Iterator[tuple[str, list[str]]]:
    """A server in the hub's place that notes what it is asked for."""
    asked: list[str] = []

    class Hub(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_card_never_makes_explain_ask_a_hub(exported, tmp_path, hub):
    url, asked = hub
    env = {k: v for k, v in os.environ.items() if not k.startswith("HF_")} | {
        "HF_ENDPOINT": url,
        "HF_HOME": str(tmp_path),
    }
    (image,) = written(tmp_path, [np.zeros((8, 8, 3))])
    folder = naming(exported, tmp_path, weights="facebook/dinov2-base")
    command = [sys.executable, "-c", THEN_ASK, "--model", str(folder), str(image)]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert "facebook/dinov2-base are not on this machine" in ended.stderr
    assert "--weights" in ended.stderr
    assert asked[0] == "/explained", "the hub was asked before"
    assert len(asked) > 1, "or this test could not fail"


@pytest.mark.parametrize(
    "weights",
    ["/etc/passwd", "~/weights.pth", "../weights", "http://127.0.0.1:9/x", "hf_hub:evil/model", ".", "a/../b"],
)
@pytest.mark.parametrize("name", ["dinov2", "efficientnet_lite2"])
def test_a_card_names_no_file_to_be_read(exported, tmp_path, capsys, name, weights):
    folder = naming(exported, tmp_path, name=name, weights=weights)
    assert explain.main(["--model", str(folder), "x.png"]) == UsageError.exit_code
    said = capsys.readouterr().err
    assert f"{folder} was exported with backbone.weights={weights}" in said
    assert "--weights PATH" in said


def test_a_backbone_of_a_package_that_is_not_installed_is_named(exported, tmp_path):
    folder = naming(exported, tmp_path, name="colour_grid", cells=6)
    with pytest.raises(TunerError, match="needs the backbone colour_grid, which is not known here") as told:
        load_model(folder)
    assert told.value.todo == "install the package that brings this backbone"


def test_nor_one_that_looks_like_a_hub_name(exported, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "facebook" / "dinov2-base").mkdir(parents=True)
    with pytest.raises(UsageError, match="not read because a card says so"):
        load_model(naming(exported, tmp_path, weights="facebook/dinov2-base"))


def small_dinov2(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    shape = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 1, "image_size": 28, "patch_size": 14}
    transformers.Dinov2Model(transformers.Dinov2Config(**shape)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def with_weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model on DINOv2 tokens, and the folder of its weights."""
    root = tmp_path_factory.mktemp("dino")
    config = BackboneConfig("dinov2", weights=str(small_dinov2(root / "weights", 0)), image_size=28)
    bank = extract_bank(DataConfig("digits"), config, root / "bank", device="cpu")
    train = bank.samples(bank.is_train)
    dense = train_dense(train, AdapterConfig(width=24, hidden=24, n_layers=2), DenseConfig(epochs=1), seed=0)
    table = assign(
        dense_features(dense, train), AssignConfig(n_features=9, features_per_class=3, deadline_s=10), seed=0
    )
    export_model(root / "model", assigned_model(dense, table), bank, config, "digits", {})
    return root / "model", root / "weights"


def test_the_user_names_the_weights_and_they_are_the_very_same(with_weights, tmp_path, capsys):
    folder, weights = with_weights
    with pytest.raises(UsageError, match="not read because a card says so"):
        load_model(folder)
    (image,) = written(tmp_path, [np.random.default_rng(0).integers(0, 256, (8, 8, 3))])
    assert explain.main(["--model", str(folder), "--weights", str(weights), str(image)]) == 0
    assert "score" in capsys.readouterr().out
    other = small_dinov2(tmp_path / "other", 1)
    with pytest.raises(TunerError, match="is not the one at"):
        load_model(folder, weights=str(other))


def test_the_card_has_the_licence_of_the_weights(with_weights, exported):
    licences = [
        json.loads((folder / CARD).read_text())["backbone_licence"] for folder in (with_weights[0], exported.folder)
    ]
    assert licences == ["unknown", None], "a folder names none; the digits' backbone has no weights"


def test_an_export_holds_no_fit_that_its_backbone_has_no_use_for(with_weights, tmp_path):
    folder, weights = with_weights
    shutil.copytree(folder, tmp_path / "model")
    shutil.copy(folder / "training.safetensors", tmp_path / "model" / "backbone.safetensors")
    with pytest.raises(TunerError, match="learns nothing from data"):
        load_model(tmp_path / "model", weights=str(weights))


ODD_CONFIGS: tuple[dict[str, object], ...] = (
    {"hidden_size": "64"},
    {"hidden_size": 10**9},
    {"patch_size": 0},
    {"patch_size": [14, 14]},
    {"num_hidden_layers": -1},
    {"num_hidden_layers": 10**9},
    {"num_attention_heads": 7},
    {"num_register_tokens": None},
    {"hidden_act": "nothing"},
    {"mlp_ratio": "wide"},
    {"layer_norm_eps": "small"},
)


@pytest.mark.parametrize("change", ODD_CONFIGS, ids=str)
def test_a_folder_of_weights_that_says_something_odd_is_refused(with_weights, tmp_path, change):
    _, weights = with_weights
    shutil.copytree(weights, tmp_path / "weights")
    file = tmp_path / "weights" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(TunerError) as caught:
        make_backbone(BackboneConfig("dinov2", weights=str(file.parent), image_size=28), "x").load(torch.device("cpu"))
    assert str(file.parent) in caught.value.what


def test_a_folder_of_weights_brings_no_code_to_be_fetched(with_weights, tmp_path, monkeypatch):
    """Some keys of config.json name code on a hub; none of them reaches the library."""
    _, weights = with_weights
    shutil.copytree(weights, tmp_path / "weights")
    file = tmp_path / "weights" / "config.json"
    hostile = {"auto_map": {"AutoModel": "evil--x.Y"}, "attn_implementation": "evil/kernel", "quantization_config": {}}
    file.write_text(json.dumps(json.loads(file.read_text()) | hostile | {"_attn_implementation": "evil/kernel"}))
    config = BackboneConfig("dinov2", weights=str(file.parent), image_size=28)
    images = torch.zeros(1, 3, 28, 28, dtype=torch.uint8)
    tokens = []
    for backbone in (
        make_backbone(config, "x"),
        make_backbone(BackboneConfig(**asdict(config) | {"weights": str(weights)}), "x"),
    ):
        backbone.load(torch.device("cpu"))
        tokens.append(backbone.tokens(images)[0])
    assert torch.equal(*tokens)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(with_weights, tmp_path, value):
    from safetensors.torch import load_file, save_file

    _, weights = with_weights
    shutil.copytree(weights, tmp_path / "weights")
    file = tmp_path / "weights" / "model.safetensors"
    tensors = load_file(file)
    name = next(name for name in tensors if name.endswith("norm1.weight"))
    tensors[name][0] = value
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(TunerError, match="not finite"):
        make_backbone(BackboneConfig("dinov2", weights=str(file.parent), image_size=28), "x").load(torch.device("cpu"))
