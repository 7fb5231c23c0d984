"""The folded network gives the packaged network's maps, for the image size it was built for."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError
from tuner.features.efficientnet import EfficientNetLite2
from tuner.features.extract import extract_bank
from tuner.features.registry import make_backbone
from tuner.features.settings import BackboneConfig

efficientnet = pytest.importorskip("efficientnet_lite_pytorch", reason="the extra `cnn` is not installed")
CPU = torch.device("cpu")


def _config(**changes: object) -> BackboneConfig:
    return BackboneConfig(name="efficientnet_lite2", **changes)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 100])
def test_tokens_are_the_last_feature_map(size: int) -> None:
    backbone = EfficientNetLite2(_config(image_size=size))
    backbone.load(CPU)
    images = torch.randint(0, 256, (3, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    tokens, cls = backbone.tokens(images)
    reference = efficientnet.EfficientNet.from_name("efficientnet-lite2", image_size=size)
    reference.load_state_dict(torch.load(backbone._weights, weights_only=True))
    with torch.no_grad():
        maps = reference.eval().extract_features((images / 255 - 0.498) / 0.502)
    assert cls is None
    assert backbone.grid == tuple(maps.shape[2:])
    assert tokens.shape == (3, backbone.grid[0] ** 2, backbone.dim)
    assert torch.allclose(tokens, maps.flatten(2).transpose(1, 2), atol=1e-4)


@pytest.mark.slow
def test_batch_size_and_threads_change_no_byte_of_a_bank(photos: DataConfig, tmp_path: Path) -> None:
    """Threads within a convolution would: 471 of 286,720 values of half precision, where it was measured."""
    n_threads, found = torch.get_num_threads(), []
    for n, batch_size in ((1, 4), (3, 10)):
        torch.set_num_threads(n)
        try:
            bank = extract_bank(photos, _config(image_size=128, batch_size=batch_size), tmp_path / str(n), device="cpu")
        finally:
            torch.set_num_threads(n_threads)
        found.append(np.asarray(bank.patches[np.arange(len(bank))]))
    assert np.array_equal(*found)


def test_half_precision_safetensors_are_the_same_network(shared_data: Path) -> None:
    file = shared_data / "backbones" / "efficientnet_lite2_in1k_fp16.safetensors"
    packaged, half = (
        EfficientNetLite2(_config(image_size=96)),
        EfficientNetLite2(_config(image_size=96, weights=str(file))),
    )
    images = torch.randint(0, 256, (2, 3, 96, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    for backbone in (packaged, half):
        backbone.load(CPU)
    one, two = packaged.tokens(images)[0].flatten(), half.tokens(images)[0].flatten()
    assert torch.nn.functional.cosine_similarity(one, two, dim=0) > 0.999
    assert packaged.key_material() != half.key_material()


def test_wrong_weights_are_explained(tmp_path: Path) -> None:
    with pytest.raises(TunerError, match="no weights at"):
        EfficientNetLite2(_config(weights=str(tmp_path / "none.pth")))
    foreign = tmp_path / "foreign.safetensors"
    safetensors.torch.save_file({"layer.weight": torch.ones(2)}, foreign)
    with pytest.raises(TunerError, match="is not EfficientNet-Lite2"):
        EfficientNetLite2(_config(weights=str(foreign))).load(CPU)
    others = efficientnet.EfficientNet.from_name("efficientnet-lite2", image_size=64).state_dict()
    torch.save(others | {"_conv_stem.weight": torch.ones(8, 3, 3, 3)}, tmp_path / "other.pth")
    with pytest.raises(TunerError, match=r"size mismatch for _conv_stem\.weight"):
        EfficientNetLite2(_config(weights=str(tmp_path / "other.pth"))).load(CPU)
    for name in ("half.pth", "half.safetensors"):
        (tmp_path / name).write_bytes(b"half of a file")
        with pytest.raises(TunerError, match="cannot be read as weights"):
            EfficientNetLite2(_config(weights=str(tmp_path / name))).load(CPU)


def test_settings_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="at least 32"):
        EfficientNetLite2(_config(image_size=16))
    with pytest.raises(UsageError, match="parity"):
        make_backbone(_config(preprocessing="parity"), "cub50")
    with pytest.raises(UsageError, match="resnet"):
        make_backbone(BackboneConfig(name="resnet"), "cub50")


def test_nothing_is_learned() -> None:
    backbone = EfficientNetLite2(_config())
    backbone.fit([])
    backbone.load_state({})
    assert not backbone.needs_fit()
    assert backbone.state() == {}
    assert (backbone.image_size, backbone.grid) == (260, (9, 9))
