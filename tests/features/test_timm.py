"""Networks of timm become tokens: of the right shape, without registers, as timm itself computes them.

Published weights cannot be had here: the networks are random, and shallow but for the sizes that are published.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.features.test_dinov2 import _as_meta, _random_model
from tests.features.timm_networks import SHALLOW, create, images, write
from tests.packages import optional
from tuner.data.settings import DataConfig
from tuner.errors import UsageError
from tuner.features.extract import extract_bank
from tuner.features.geometry import image_for
from tuner.features.registry import make_backbone
from tuner.features.resize import resolved
from tuner.features.settings import BackboneConfig
from tuner.features.timm_network import shape_of
from tuner.features.timm_source import source_of

timm = optional("timm", "timm")
pytestmark = pytest.mark.slow
CPU = torch.device("cpu")
SWIN = {"depths": [1, 1, 1, 1], "embed_dim": 24, "num_heads": [1, 2, 3, 4]}

# Architecture, arguments that make it small, image size, prefix tokens, whether the first of them is a CLS.
FAMILIES: list[tuple[str, dict[str, Any], int, int, bool]] = [
    ("vit_small_patch14_dinov2", SHALLOW, 56, 1, True),
    ("vit_small_patch14_reg4_dinov2", SHALLOW, 56, 5, True),
    ("vit_small_patch16_dinov3", SHALLOW, 64, 5, True),
    ("vit_base_patch16_siglip_224", SHALLOW, 64, 0, False),
    ("vit_pe_core_tiny_patch16_384", SHALLOW, 64, 1, True),
    ("vit_small_patch16_224", SHALLOW, 64, 1, True),  # of DINO
    ("deit_tiny_distilled_patch16_224", SHALLOW, 64, 2, True),
    ("vit_medium_patch16_reg4_gap_256", SHALLOW, 64, 4, False),
    ("swin_tiny_patch4_window7_224", SWIN, 224, 0, False),  # (n, h, w, dim)
    ("test_mambaout", {}, 64, 0, False),  # (n, h, w, dim)
    ("test_convnext", {}, 64, 0, False),
    ("test_resnet", {}, 64, 0, False),
    ("test_efficientnet", {}, 64, 0, False),  # its last map is one after its stages
]


def config(folder: Path | str, **changes: Any) -> BackboneConfig:
    return BackboneConfig(name="timm", weights=str(folder), **changes)


def loaded(folder: Path | str, **changes: Any) -> Any:
    backbone = make_backbone(config(folder, **changes), "x")
    backbone.load(CPU)
    return backbone


def reference(folder: Path, architecture: str, arguments: dict[str, Any], pixels: torch.Tensor) -> torch.Tensor:
    """What timm's own `forward_features` makes of pixels, by the preprocessing that config.json tells."""
    told = json.loads((folder / "config.json").read_text())["pretrained_cfg"]
    network = create(architecture, **arguments)
    network.load_state_dict(load_file(folder / "model.safetensors"))
    mean, std = (torch.tensor(told[name])[:, None, None] for name in ("mean", "std"))
    with torch.no_grad():
        found: torch.Tensor = network.forward_features((pixels / 255 - mean) / std)
    return found


@pytest.mark.parametrize(("architecture", "small", "size", "prefix", "has_cls"), FAMILIES, ids=lambda v: str(v)[:32])
def test_tokens_are_those_of_timm(
    tmp_path: Path, architecture: str, small: dict[str, Any], size: int, prefix: int, has_cls: bool
) -> None:
    arguments = {**small, "img_size": size} if small else {}
    folder = write(tmp_path / "weights", architecture, **arguments)
    backbone = loaded(folder, image_size=size)
    pixels = images(size)
    patches, cls = backbone.tokens(pixels)
    found = reference(folder, architecture, arguments, pixels)
    if found.ndim == 4:
        found = (
            found if architecture in ("swin_tiny_patch4_window7_224", "test_mambaout") else found.movedim(1, -1)
        ).flatten(1, 2)
    side = backbone.grid[0]
    assert backbone.grid == (side, side)
    assert patches.shape == (2, side * side, backbone.dim)
    assert patches.dtype == torch.float32
    assert found.shape[1] == prefix + side * side
    assert torch.allclose(patches, found[:, prefix:], atol=1e-4)
    assert backbone.has_cls == has_cls == (cls is not None)
    if cls is not None:
        assert torch.allclose(cls, found[:, 0], atol=1e-4)
    alone, _ = backbone.tokens(pixels[1:])
    assert torch.allclose(alone, patches[1:], atol=1e-5), "tokens depend on what else is in the batch"


# What docs/how-to/backbones.md promises: image size, side of the grid, width, CLS, licence.
PUBLISHED = {
    "vit_small_patch14_dinov2.lvd142m": (224, 16, 384, True, "apache-2.0"),
    "vit_base_patch14_dinov2.lvd142m": (224, 16, 768, True, "apache-2.0"),
    "vit_large_patch14_reg4_dinov2.lvd142m": (224, 16, 1024, True, "apache-2.0"),
    "vit_giant_patch14_reg4_dinov2.lvd142m": (224, 16, 1536, True, "apache-2.0"),
    "vit_small_patch16_dinov3.lvd1689m": (256, 16, 384, True, "dinov3-license"),
    "vit_base_patch16_dinov3.lvd1689m": (256, 16, 768, True, "dinov3-license"),
    "vit_large_patch16_dinov3.lvd1689m": (256, 16, 1024, True, "dinov3-license"),
    "convnext_tiny.dinov3_lvd1689m": (224, 7, 768, False, "dinov3-license"),
    "vit_base_patch16_siglip_224.v2_webli": (224, 14, 768, False, "apache-2.0"),
    "vit_so400m_patch14_siglip_224.v2_webli": (224, 16, 1152, False, "apache-2.0"),
    "vit_pe_core_base_patch16_224.fb": (224, 14, 768, True, "apache-2.0"),
    "vit_small_patch16_224.dino": (224, 14, 384, True, "apache-2.0"),
    "vit_base_patch8_224.dino": (224, 28, 768, True, "apache-2.0"),
    "resnet50.a1_in1k": (224, 7, 2048, False, "apache-2.0"),
    "convnext_tiny.fb_in22k": (224, 7, 768, False, "apache-2.0"),
    "swin_tiny_patch4_window7_224.ms_in1k": (224, 7, 768, False, "mit"),
    "efficientnet_b0.ra_in1k": (224, 7, 1280, False, "apache-2.0"),
}


# Even without memory, these take seconds each to be put together; a smaller one of each family stands for them.
LARGE = (
    "vit_large_patch14_reg4_dinov2.lvd142m",
    "vit_giant_patch14_reg4_dinov2.lvd142m",
    "vit_large_patch16_dinov3.lvd1689m",
    "vit_so400m_patch14_siglip_224.v2_webli",
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in LARGE else []) for name in PUBLISHED]
)
def test_published_networks_make_tokens_of_these_shapes(name: str) -> None:
    """At their full size, on torch's device `meta`, which computes shapes alone."""
    size, side, dim, has_cls, licence = PUBLISHED[name]
    told = timm.get_pretrained_cfg(name).to_dict() | {"architecture": name.partition(".")[0]}
    source = source_of(told, Path("none"), {})
    shape = shape_of(source, size, -1, True)
    assert (shape.grid, shape.dim, shape.has_cls, source.licence) == ((side, side), dim, has_cls, licence)


def test_the_table_of_the_documents_is_that_of_the_tests() -> None:
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "backbones.md").read_text()
    for name, (size, side, dim, has_cls, licence) in PUBLISHED.items():
        row = f"| `{name}` | {size} | {side} x {side} | {dim} | {'yes' if has_cls else 'no'} | {licence} |"
        assert row in page, row


@pytest.mark.parametrize("registers", [True, False])
def test_our_dinov2_is_timms(tmp_path: Path, registers: bool) -> None:
    """The same checkpoint with Meta's names, whose positions of 37 x 37 are resampled to 16 x 16.

    timm resamples with antialias and to the very size, whether there are registers or not.
    """
    torch.save(_as_meta(_random_model(registers)), tmp_path / "weights.pth")
    architecture = f"vit_small_patch14_{'reg4_' if registers else ''}dinov2"
    (tmp_path / "timm").mkdir()
    arguments = {"depth": 3, "embed_dim": 128, "num_heads": 2}
    (tmp_path / "timm" / "config.json").write_text(json.dumps({"architecture": architecture, "model_args": arguments}))
    torch.save({"model": _as_meta(_random_model(registers))}, tmp_path / "timm" / "weights.pth")
    ours = make_backbone(
        BackboneConfig("dinov2", weights=str(tmp_path / "weights.pth"), position_antialias=True, position_offset=0.0),
        "x",
    )
    ours.load(CPU)
    pixels = images(224, 1)
    theirs = loaded(tmp_path / "timm", image_size=224)
    for own, other in zip(ours.tokens(pixels), theirs.tokens(pixels), strict=True):
        assert own is not None
        assert torch.allclose(own, other, atol=1e-4)
    assert (ours.grid, ours.dim) == (theirs.grid, theirs.dim)


def test_an_earlier_layer_and_no_norm(tmp_path: Path) -> None:
    folder = write(tmp_path / "weights", "vit_small_patch14_reg4_dinov2", img_size=56, **SHALLOW)
    network = create("vit_small_patch14_reg4_dinov2", img_size=56, **SHALLOW)
    network.load_state_dict(load_file(folder / "model.safetensors"))
    pixels, keys = images(56), set()
    told = json.loads((folder / "config.json").read_text())["pretrained_cfg"]
    mean, std = (torch.tensor(told[name])[:, None, None] for name in ("mean", "std"))
    with torch.no_grad():
        x = network._pos_embed(network.patch_embed((pixels / 255 - mean) / std))
        states = [x := block(x) for block in network.blocks]
    for layer in (-1, -2):
        for norm in (True, False):
            backbone = loaded(folder, image_size=56, layer=layer, norm=norm)
            expected = states[layer]
            with torch.no_grad():
                expected = network.norm(expected) if norm else expected
            assert torch.allclose(backbone.tokens(pixels)[0], expected[:, 5:], atol=1e-4), (layer, norm)
            keys.add(json.dumps(backbone.key_material()))
    assert len(keys) == 4
    with pytest.raises(UsageError, match=r"backbone\.layer=-3") as caught:
        make_backbone(config(folder, layer=-3), "x")
    assert caught.value.expected == "-1 (the last) to -2 (the first)"


def test_an_earlier_stage_of_a_convolutional_network(tmp_path: Path) -> None:
    folder = write(tmp_path / "weights", "test_resnet")
    last, earlier = (loaded(folder, image_size=64, layer=layer) for layer in (-1, -2))
    assert earlier.grid[0] == 2 * last.grid[0]
    assert earlier.tokens(images(64))[0].shape == (2, earlier.grid[0] ** 2, earlier.dim)


def test_image_sizes(tmp_path: Path) -> None:
    folder = write(tmp_path / "weights", "vit_small_patch16_224", img_size=64, **SHALLOW)
    assert make_backbone(config(folder, image_size=96), "x").grid == (6, 6)
    with pytest.raises(UsageError, match=r"image_size=100") as caught:
        make_backbone(config(folder, image_size=100), "x")
    assert caught.value.todo == "set it to 96"
    tiny = write(tmp_path / "tiny", "test_resnet")
    assert make_backbone(config(tiny), "x").image_size == 160
    with pytest.raises(UsageError, match="parity"):
        make_backbone(config(folder, preprocessing="parity"), "x")


def test_pixels_enter_as_timm_has_them(tmp_path: Path) -> None:
    """A centre crop by the weights' own share and filter; squashed, by their filter."""
    folder = write(
        tmp_path / "weights", "test_resnet", {"crop_pct": 0.8, "interpolation": "bilinear", "mean": [0.1, 0.2, 0.3]}
    )
    backbone = loaded(folder, image_size=64)
    about = backbone.key_material()
    assert about["resize"] == {"share": 0.8, "filter": "bilinear"}
    geometry = resolved("crop", about)
    assert geometry == "crop 0.8 bilinear"
    assert resolved("squash", about) == "squash 0.8 bilinear"
    assert resolved("squash", {"name": "another"}) == "squash"
    from timm.data import create_transform

    smooth = np.linspace(0, 255, 300)[None, :, None] * np.linspace(0.2, 1, 200)[:, None, None] * np.ones(3)
    photo = Image.fromarray(smooth.astype(np.uint8))
    ours = np.asarray(image_for(photo, 64, geometry)).astype(float)
    transform = create_transform((3, 64, 64), crop_pct=0.8, interpolation="bilinear", mean=(0, 0, 0), std=(1, 1, 1))
    theirs = transform(photo).permute(1, 2, 0).numpy() * 255
    assert np.abs(ours - theirs).max() < 3, "levels of 255: timm rounds the size before it crops"
    assert np.abs(np.asarray(image_for(photo, 64, "squash 0.8 bilinear")).astype(float) - theirs).max() > 10


def test_a_bank_has_the_licence_and_says_what_it_forbids(tmp_path: Path, photos: DataConfig) -> None:
    told = {"license": "cc-by-nc-4.0"}
    folder = write(tmp_path / "weights", "vit_small_patch14_reg4_dinov2", told, img_size=28, **SHALLOW)
    said: list[str] = []
    bank = extract_bank(photos, config(folder, image_size=28), tmp_path / "bank", device="cpu", note=said.append)
    assert bank.licence == "cc-by-nc-4.0"
    assert [s for s in said if "licence" in s or "commercial" in s] == [
        "the backbone's weights are under cc-by-nc-4.0, which forbids commercial use"
    ]
    assert (bank.grid, bank.dim, bank.backbone and bank.backbone["model"]) == (
        (2, 2),
        48,
        "vit_small_patch14_reg4_dinov2",
    )
    free = json.loads((folder / "config.json").read_text())
    free["pretrained_cfg"]["license"] = "mit"
    (folder / "config.json").write_text(json.dumps(free))
    again = make_backbone(config(folder, image_size=28), "x")
    assert again.key_material() == bank.backbone, "a licence shapes no token"


def test_the_key_is_that_of_the_weights_content(tmp_path: Path) -> None:
    folder = write(tmp_path / "weights", "vit_small_patch16_224", img_size=64, **SHALLOW)
    before = make_backbone(config(folder, image_size=64), "x").key_material()
    state = load_file(folder / "model.safetensors")
    first = next(iter(state))
    save_file(state | {first: state[first] + 1}, folder / "model.safetensors")
    after = make_backbone(config(folder, image_size=64), "x").key_material()
    assert before["weights"] != after["weights"]
    assert {n for n in before if before[n] != after[n]} == {"weights"}
    wider = make_backbone(replace(config(folder), image_size=96), "x").key_material()
    assert wider["image_size"] == 96
