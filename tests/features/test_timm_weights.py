"""Where a timm network's weights come from, what is refused, and what is said then."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.features.timm_networks import SHALLOW, create, images, write
from tests.packages import optional
from tuner.card import NAMES
from tuner.errors import TunerError, UsageError
from tuner.features import hub, timm_package
from tuner.features.licences import licence_note
from tuner.features.registry import make_backbone
from tuner.features.settings import BackboneConfig

timm = optional("timm", "timm")
pytestmark = pytest.mark.slow
CPU = torch.device("cpu")
VIT = "vit_small_patch16_224"


def config(weights: Path | str, **changes: Any) -> BackboneConfig:
    return BackboneConfig(name="timm", weights=str(weights), **changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "weights", "test_resnet")


@pytest.fixture
def cached(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, with one repository in it."""
    cache = tmp_path / "hub"
    repository = cache / "models--timm--test_resnet.r160_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    (repository / "snapshots").mkdir()
    folder.rename(repository / "snapshots" / ("a" * 40))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    return cache


def test_the_names_of_the_hub_are_the_same_weights(cached: Path) -> None:
    found = [
        make_backbone(config(name), "x", offline=True)
        for name in ("test_resnet.r160_in1k", "hf_hub:timm/test_resnet.r160_in1k", "timm/test_resnet.r160_in1k")
    ]
    keys = {json.dumps(backbone.key_material()) for backbone in found}
    assert len(keys) == 1
    assert getattr(found[0], "licence", "") == "apache-2.0", "timm itself tells it"
    by_model = make_backbone(config("", model="test_resnet.r160_in1k"), "x", offline=True)
    assert json.dumps(by_model.key_material()) in keys


@pytest.mark.parametrize("name", ["resnet18.a1_in1k", "hf_hub:timm/resnet18.a1_in1k"])
def test_weights_that_cannot_be_had_say_where_to_put_them(cached: Path, name: str) -> None:
    with pytest.raises(TunerError, match=r"resnet18\.a1_in1k") as caught:
        make_backbone(config(name), "x")
    assert "hf download timm/resnet18.a1_in1k --local-dir FOLDER" in caught.value.todo
    assert "backbone.weights=FOLDER" in caught.value.todo


MISTAKES = [
    ({"weights": ""}, "without backbone.weights", "vit_small_patch14_reg4_dinov2.lvd142m"),
    ({"weights": "resnet81"}, "nor a network of timm", "did you mean 'resnet"),
    ({"weights": "resnet18.no_such"}, "knows no such weights", "choose one of them"),
    (
        {"weights": "resnet18.a1_in1k", "model": "resnet34"},
        "backbone.model=resnet34 with",
        "leave backbone.model empty",
    ),
    ({"weights": "none.pth"}, "there is no such file", "check the path"),
    ({"weights": "legacy_seresnet18.in1k"}, "not on the hub", "backbone.weights=FILE"),
]


@pytest.mark.parametrize(("settings", "what", "todo"), MISTAKES, ids=[what for _, what, _ in MISTAKES])
def test_mistakes_are_explained(settings: dict[str, str], what: str, todo: str) -> None:
    with pytest.raises(TunerError, match=what) as caught:
        make_backbone(BackboneConfig(name="timm", **settings), "x")
    assert todo in caught.value.todo
    assert caught.value.expected


def test_a_file_needs_an_architecture(folder: Path) -> None:
    file = folder / "model.safetensors"
    with pytest.raises(UsageError, match=r"without backbone\.model"):
        make_backbone(config(file), "x")
    backbone = make_backbone(config(file, model="test_resnet"), "x")
    assert getattr(backbone, "licence", "") == "unknown", "a file tells no licence"
    tagged = make_backbone(config(file, model="test_resnet.r160_in1k"), "x")
    assert getattr(tagged, "licence", "") == "apache-2.0", "its user says which weights they are"


def test_checkpoints_of_training_and_their_classifiers(tmp_path: Path, folder: Path) -> None:
    """Whatever classifier a checkpoint has, and wherever it keeps its tensors: the same features."""
    state = load_file(folder / "model.safetensors")
    head = create("test_resnet").num_features
    wrapped = {f"module.{name}": value for name, value in state.items()}
    classifier = {"fc.weight": torch.zeros(7, head), "fc.bias": torch.zeros(7)}
    torch.save({"state_dict": wrapped, "epoch": 3}, tmp_path / "wrapped.pth")
    torch.save(state | classifier, tmp_path / "with_head.bin")
    tokens = []
    for file in (folder / "model.safetensors", tmp_path / "wrapped.pth", tmp_path / "with_head.bin"):
        backbone = make_backbone(config(file, model="test_resnet", image_size=64), "x")
        backbone.load(CPU)
        tokens.append(backbone.tokens(images(64))[0])
    assert torch.equal(tokens[0], tokens[1])
    assert torch.equal(tokens[0], tokens[2])


def test_tensors_of_another_network_are_named(tmp_path: Path) -> None:
    small = write(tmp_path / "small", VIT, img_size=64, **SHALLOW)
    config_file = json.loads((small / "config.json").read_text())
    config_file["model_args"]["embed_dim"] = 64
    (small / "config.json").write_text(json.dumps(config_file))
    with pytest.raises(TunerError, match=rf"does not hold the weights of {VIT}") as caught:
        make_backbone(config(small, image_size=64), "x").load(CPU)
    assert "cls_token is (1, 1, 48) instead of (1, 1, 64)" in caught.value.what
    assert caught.value.what.count(" instead of ") == 3
    assert "backbone.model" in caught.value.todo
    save_file({"layer.weight": torch.ones(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(TunerError, match=r"conv1\.0\.weight is missing instead of|conv1\.weight is missing"):
        make_backbone(config(tmp_path / "foreign.safetensors", model="test_resnet"), "x").load(CPU)


class _Trap:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch trapped",)


def test_a_checkpoint_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": _Trap()}, tmp_path / "evil.pth")
    with pytest.raises(TunerError, match="cannot be read as weights"):
        make_backbone(config(tmp_path / "evil.pth", model="test_resnet"), "x").load(CPU)
    assert not (tmp_path / "trapped").exists()


ODD: list[tuple[dict[str, Any], str]] = [
    ({"model_args": {"checkpoint_path": "/etc/passwd"}}, "checkpoint_path"),
    ({"model_args": {"img_size": {"a": 1}}}, "model_args are"),
    ({"architecture": "nothing_like_it"}, "nor a network of timm"),
    ({"architecture": 3}, "names no architecture"),
    ({"pretrained_cfg": {"mean": [0, "a", 1]}}, "its mean is"),
    ({"pretrained_cfg": {"std": [0, 1, 1]}}, "its std is"),
    ({"pretrained_cfg": {"crop_pct": "a"}}, "its crop_pct is"),
    ({"pretrained_cfg": {"interpolation": "best"}}, "its interpolation is"),
    ({"pretrained_cfg": {"input_size": [3, 10**9, 10**9]}}, "its input_size is"),
    ({"pretrained_cfg": {"input_size": 3}}, "its input_size is"),
]


@pytest.mark.parametrize(("change", "what"), ODD, ids=[what for _, what in ODD])
def test_a_description_that_cannot_be_is_refused(folder: Path, change: dict[str, Any], what: str) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(TunerError, match=what):
        make_backbone(config(folder), "x")


def test_what_a_description_names_is_not_fetched(folder: Path) -> None:
    """Addresses in a config.json reach nobody: the tensors come from the file beside it."""
    file = folder / "config.json"
    about = json.loads(file.read_text())
    about["pretrained_cfg"] |= {
        "url": "http://127.0.0.1:9/x",
        "hf_hub_id": "evil/x",
        "source": "hf-hub",
        "custom_load": True,
    }
    file.write_text(json.dumps(about))
    backbone = make_backbone(config(folder, image_size=64), "x")
    backbone.load(CPU)
    assert backbone.tokens(images(64))[0].shape[0] == 2


def test_names_in_a_card_are_names(tmp_path: Path) -> None:
    for name in ("resnet18.a1_in1k", "resnet18", "hf_hub:timm/resnet18.a1_in1k", "timm/resnet18.a1_in1k"):
        assert NAMES["timm"].fullmatch(name), name
    for path in ("/etc/passwd", "../x", ".", "a/../b", "~/x", "http://127.0.0.1:9/x", "hf_hub:../../x", "a/b/c"):
        assert not NAMES["timm"].fullmatch(path), path


def test_a_missing_package_has_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(TunerError, match="package timm is not installed") as caught:
        timm_package.timm()
    assert "requirements/install.sh" in caught.value.todo
    assert "`timm`" in caught.value.expected
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(TunerError, match="extra `dino`"):
        hub.package("transformers", "x")


REAL = """
import torch
schema = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
torch.library.define("torchvision::nms", schema)
torch.library.impl("torchvision::nms", "cpu", lambda dets, scores, iou_threshold: torch.full((1,), 7))
from tuner.features.torchvision_operators import declare_missing_operators
declare_missing_operators()
declare_missing_operators()
print(int(torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)))
import torchvision
"""


def test_an_operator_that_exists_is_not_replaced() -> None:
    """In a process of its own: a torch that knows one operator, and not the other."""
    if optional("torchvision", "timm").extension._has_ops():
        pytest.skip("torchvision's operators fit this torch, so that none is missing")
    ran = subprocess.run([sys.executable, "-c", REAL], capture_output=True, text=True, check=False, timeout=300)
    assert ran.stdout.split() == ["7"], ran.stderr


@pytest.mark.parametrize(
    ("licence", "said"),
    [
        (None, ""),
        ("apache-2.0", ""),
        ("MIT", ""),
        ("cc-by-4.0", ""),
        ("cc-by-nc-4.0", "forbids commercial use"),
        ("fair-noncommercial-research-license", "forbids commercial use"),
        ("dinov3-license", "terms of its own"),
        ("unknown", "name no licence"),
    ],
)
def test_what_a_licence_asks_for_is_told(licence: str | None, said: str) -> None:
    note = licence_note(licence)
    assert said in note
    assert bool(note) == bool(said)
