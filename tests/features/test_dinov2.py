"""Our path reproduces transformers' tokens, and Meta's checkpoints become the same network.

Published weights cannot be had here: the networks are random, of reduced depth and width.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.cub import write_dinov2
from tests.packages import optional
from tuner.errors import TunerError, UsageError
from tuner.features.dinov2 import IMAGENET, Dinov2, resize_positions
from tuner.features.dinov2_weights import hub_folder
from tuner.features.registry import make_backbone
from tuner.features.settings import BackboneConfig

transformers = optional("transformers", "dino")
CPU = torch.device("cpu")


def _random_model(registers: bool = True, swiglu: bool = False) -> Any:
    """A random DINOv2 of 3 blocks with Meta's position grid of 37 x 37; every tensor is away from its initial value."""
    torch.manual_seed(0)
    shape = {"hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 2, "image_size": 518, "patch_size": 14}
    if registers:
        config = transformers.Dinov2WithRegistersConfig(**shape, num_register_tokens=4, use_swiglu_ffn=swiglu)
        model = transformers.Dinov2WithRegistersModel(config)
    else:
        model = transformers.Dinov2Model(transformers.Dinov2Config(**shape, use_swiglu_ffn=swiglu))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return model.eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    _random_model().save_pretrained(tmp_path / "weights")
    return tmp_path / "weights"


def _config(weights: Path | str, **changes: Any) -> BackboneConfig:
    return BackboneConfig(name="dinov2", weights=str(weights), **changes)


def _images(n: int = 2, size: int = 224) -> torch.Tensor:
    return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def _normalised(images: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(values)[:, None, None] for values in IMAGENET)
    return (images / 255 - mean) / std


@pytest.mark.slow
@pytest.mark.parametrize("registers", [True, False])
def test_tokens_are_those_of_transformers(tmp_path: Path, registers: bool) -> None:
    """The library resizes positions with antialias for register models only, and with no offset."""
    model = _random_model(registers)
    model.save_pretrained(tmp_path)
    backbone = make_backbone(_config(tmp_path, position_antialias=registers, position_offset=0.0), "cub")
    backbone.load(CPU)
    images = _images()
    with torch.no_grad():
        hidden = model(_normalised(images)).last_hidden_state
    patches, cls = backbone.tokens(images)
    assert cls is not None
    assert (backbone.grid, backbone.dim, backbone.has_cls) == ((16, 16), 128, True)
    assert patches.shape == (2, 256, 128)
    assert torch.allclose(cls, hidden[:, 0], atol=1e-4)
    assert torch.allclose(patches, hidden[:, 5 if registers else 1 :], atol=1e-4)


@pytest.mark.slow
def test_layer_and_norm(folder: Path) -> None:
    model, images = _random_model(), _images(1, 518)  # at 518 px no position is resized
    with torch.no_grad():
        states = model(_normalised(images), output_hidden_states=True).hidden_states
        for layer in (-1, -2):
            for norm in (True, False):
                backbone = Dinov2(_config(folder, image_size=518, layer=layer, norm=norm), "cub")
                backbone.load(CPU)
                expected = model.layernorm(states[layer]) if norm else states[layer]
                assert torch.allclose(backbone.tokens(images)[0], expected[:, 5:], atol=1e-4), (layer, norm)


def test_position_options_change_the_tokens(folder: Path) -> None:
    options = ({}, {"position_offset": 0.0}, {"position_antialias": True})
    seen = []
    for option in options:
        backbone = Dinov2(_config(folder, **option), "cub")
        backbone.load(CPU)
        seen.append((backbone.tokens(_images(1))[0], json.dumps(backbone.key_material())))
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert (seen[a][0] - seen[b][0]).abs().max() > 1e-3
        assert seen[a][1] != seen[b][1]


def test_positions_are_sampled_where_they_should_be() -> None:
    """Cubic convolution (a = -0.75) at (i + 0.5) * side / (cells + offset) - 0.5, written out in one direction."""
    side, cells = 37, 16
    values = torch.rand(side, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    positions = torch.cat([torch.zeros(1), values.repeat(side)])[None, :, None]

    def kernel(t: float) -> float:
        t = abs(t)
        if t <= 1:
            return 1.25 * t**3 - 2.25 * t**2 + 1
        return -0.75 * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0

    for offset in (0.0, 0.1):
        resized = resize_positions(positions, (cells, cells), antialias=False, offset=offset)
        row = resized[0, 1:, 0].reshape(cells, cells)[5]
        for i in range(1, cells - 1):
            at = (i + 0.5) * side / (cells + offset) - 0.5
            expected = sum(kernel(at - j) * float(values[j]) for j in range(side))
            assert float(row[i]) == pytest.approx(expected, abs=1e-9), (offset, i)
    assert resize_positions(positions, (side, side), antialias=True, offset=0.1) is positions


def test_parity_preprocessing(folder: Path) -> None:
    """Dataset statistics, then each image to [0, 1] over all its pixels and channels
    (docs/explanation/method.md#preprocessing)."""
    backbone = Dinov2(_config(folder, preprocessing="parity"), "cub50")
    images = _images(3, 28)
    images[2] = 77
    mean, std = torch.tensor([0.4853, 0.4964, 0.4295]), torch.tensor([0.2300, 0.2258, 0.2625])
    expected = (images[0] / 255 - mean[:, None, None]) / std[:, None, None]
    expected = (expected - expected.min()) / (expected.max() - expected.min())
    prepared = backbone.preprocess(images)
    assert torch.allclose(prepared[0], expected, atol=1e-6)
    assert prepared.amin() == 0
    assert prepared.amax() == 1
    assert torch.isfinite(prepared).all()
    assert not backbone.needs_fit()
    standard = Dinov2(_config(folder), "cub50")
    assert torch.allclose(standard.preprocess(images), _normalised(images), atol=1e-6)


def test_parity_measures_what_was_not_published(folder: Path) -> None:
    backbone = Dinov2(_config(folder, preprocessing="parity"), "folder")
    before = backbone.key_material()
    assert backbone.needs_fit()
    assert backbone.state() == {}
    backbone.load(CPU)
    images = _images(5, 28)
    backbone.fit([images[:2], images[2:]])
    pixels = images.double() / 255
    state = backbone.state()
    assert torch.allclose(state["mean"].double(), pixels.mean((0, 2, 3)), atol=1e-6)
    assert torch.allclose(state["std"].double(), pixels.std((0, 2, 3), correction=0), atol=1e-6)
    other = Dinov2(_config(folder, preprocessing="parity"), "folder")
    other.load_state(state)
    assert torch.equal(other.preprocess(images), backbone.preprocess(images))
    assert backbone.key_material() == before


def _as_meta(model: Any) -> dict[str, torch.Tensor]:
    """The model's weights under the names of Meta's checkpoints, written out here on its own."""
    state, meta = model.state_dict(), {}
    for name in ("cls_token", "mask_token", "register_tokens"):
        if f"embeddings.{name}" in state:
            meta[name] = state[f"embeddings.{name}"]
    meta["pos_embed"] = state["embeddings.position_embeddings"]
    for kind in ("weight", "bias"):
        meta[f"patch_embed.proj.{kind}"] = state[f"embeddings.patch_embeddings.projection.{kind}"]
        meta[f"norm.{kind}"] = state[f"layernorm.{kind}"]
        for i in range(model.config.num_hidden_layers):
            block, ours = f"blocks.{i}", f"encoder.layer.{i}"
            parts = [state[f"{ours}.attention.{part}_proj.{kind}"] for part in "qkv"]
            meta[f"{block}.attn.qkv.{kind}"] = torch.cat(parts)
            meta[f"{block}.attn.proj.{kind}"] = state[f"{ours}.attention.o_proj.{kind}"]
            for norm in ("norm1", "norm2"):
                meta[f"{block}.{norm}.{kind}"] = state[f"{ours}.{norm}.{kind}"]
            for scale in "12":
                meta[f"{block}.ls{scale}.gamma"] = state[f"{ours}.layer_scale{scale}.lambda1"]
            if model.config.use_swiglu_ffn:
                gate, up = (state[f"{ours}.mlp.{part}_proj.{kind}"] for part in ("gate", "up"))
                meta[f"{block}.mlp.w12.{kind}"] = torch.cat([gate, up])
                meta[f"{block}.mlp.w3.{kind}"] = state[f"{ours}.mlp.down_proj.{kind}"]
            else:
                for part in ("fc1", "fc2"):
                    meta[f"{block}.mlp.{part}.{kind}"] = state[f"{ours}.mlp.{part}.{kind}"]
    return meta


@pytest.mark.parametrize(("registers", "swiglu"), [(True, False), (False, False), (True, True)])
def test_meta_checkpoints(tmp_path: Path, registers: bool, swiglu: bool) -> None:
    model = _random_model(registers, swiglu)
    model.save_pretrained(tmp_path / "hub")
    torch.save(_as_meta(model), tmp_path / "dinov2_reg4_pretrain.pth")
    images = _images(1)
    tokens = []
    for weights in (tmp_path / "hub", tmp_path / "dinov2_reg4_pretrain.pth"):
        backbone = Dinov2(_config(weights), "cub")
        backbone.load(CPU)
        tokens.append(backbone.tokens(images)[0])
    assert torch.equal(*tokens)
    converted = hub_folder(str(tmp_path / "dinov2_reg4_pretrain.pth"))
    stamp = (converted / "model.safetensors").stat().st_mtime_ns
    assert (hub_folder(str(tmp_path / "dinov2_reg4_pretrain.pth")) / "model.safetensors").stat().st_mtime_ns == stamp


class _Trap:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, ("touch trapped",)


def test_a_checkpoint_cannot_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"cls_token": _Trap()}, tmp_path / "evil.pth")
    with pytest.raises(TunerError, match="is no DINOv2 checkpoint"):
        Dinov2(_config(tmp_path / "evil.pth"), "cub")
    assert not (tmp_path / "trapped").exists()


def test_missing_weights_say_where_to_get_them(tmp_path: Path, folder: Path) -> None:
    for name in ("", "nobody/no-such-model", "no/such/path"):
        with pytest.raises(TunerError, match="neither a local path nor") as caught:
            Dinov2(_config(name), "cub")
        assert "dinov2-with-registers-base" in caught.value.todo
        assert "fbaipublicfiles" in caught.value.todo
    (tmp_path / "empty").mkdir()
    with pytest.raises(TunerError, match="holds no DINOv2"):
        Dinov2(_config(tmp_path / "empty"), "cub")
    torch.save({"layer1.weight": torch.ones(1)}, tmp_path / "resnet.pth")
    with pytest.raises(TunerError, match=r"unknown tensor layer1\.weight"):
        Dinov2(_config(tmp_path / "resnet.pth"), "cub")
    backbone = Dinov2(_config(folder), "cub")
    (folder / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(TunerError, match="cannot be loaded"):
        backbone.load(CPU)


def test_settings_that_cannot_be(folder: Path) -> None:
    with pytest.raises(UsageError, match="multiple of 14") as caught:
        Dinov2(_config(folder, image_size=256), "cub")
    assert caught.value.todo == "set it to 252"
    with pytest.raises(UsageError, match="layer=-4"):
        Dinov2(_config(folder, layer=-4), "cub")


def test_weights_of_other_shapes_are_named(tmp_path: Path) -> None:
    folder = write_dinov2(tmp_path)
    weights = load_file(folder / "model.safetensors")
    name = "embeddings.patch_embeddings.projection.weight"
    save_file(weights | {name: weights[name][:, :, :13, :13].contiguous()}, folder / "model.safetensors")
    with pytest.raises(TunerError, match=f"1 tensor has another shape than its config.json says: {name} is") as told:
        make_backbone(_config(folder), "cub").load(CPU)
    assert told.value.expected == "(32, 3, 14, 14)"
    assert "backbone.weights" in told.value.todo
