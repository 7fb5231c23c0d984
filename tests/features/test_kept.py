"""Banks that keep less: packed tokens, a quarter of them, or their mean alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tuner.base.untrusted import MalformedError
from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError
from tuner.features.bank import FeatureBank
from tuner.features.extract import bank_key, extract_bank
from tuner.features.kept import Kept, as_kept, require_patches, token_type_of
from tuner.features.packing import PackedRows, array_width, packed, unpacked
from tuner.features.registry import make_backbone
from tuner.features.settings import BackboneConfig
from tuner.features.stored_tokens import StoredTokens
from tuner.qpm import AdapterConfig, DenseConfig, dense_features, evaluate, train_dense, train_linear_probe

BACKBONE = BackboneConfig("patch_dictionary", image_size=20, grid=5, n_atoms=16)
BOUND = {"int8": 0.5 / 127, "float8": 2**-4}  # half a step of the largest number; of the number itself


@pytest.mark.parametrize("kind", ["int8", "float8"])
def test_a_packed_token_is_near_to_itself(kind: str) -> None:
    tokens = torch.randn(3, 5, 32, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 4, 5)[:, None]
    tokens[0, 0] = 0
    array = packed(tokens, kind, "a.png")
    assert (array.dtype, array.shape) == (np.int8, (3, 5, array_width(kind, 32)))
    back = unpacked(array, kind).float()
    largest = tokens.half().float().abs().amax(-1, keepdim=True)
    off = (back - tokens.half().float()).abs()
    bound = BOUND[kind] * (largest if kind == "int8" else tokens.abs() + 2**-9 * largest) + 2**-10 * largest
    assert (off <= bound).all()
    assert (back[0, 0] == 0).all()
    assert torch.equal(back.argmax(-1)[1:], tokens.argmax(-1)[1:]) or kind == "float8"


@pytest.mark.parametrize("kind", ["float16", "int8"])
def test_a_token_beyond_float16_is_refused(kind: str) -> None:
    with pytest.raises(TunerError, match=r"range of float16 in the batch that begins with a\.png"):
        packed(torch.full((1, 1, 4), 1e6), kind, "a.png")


@pytest.fixture
def banks(photos: DataConfig, tmp_path: Path) -> dict[str, FeatureBank]:
    """The same photographs, kept in every way."""
    ways = {"all": {}, "int8": {"dtype": "int8"}, "float8": {"dtype": "float8"}}
    ways |= {"quarter": {"keep": "quarter"}, "pooled": {"keep": "pooled"}}
    return {name: extract_bank(photos, replace(BACKBONE, **way), tmp_path / name) for name, way in ways.items()}


def _bytes_of_patches(bank: FeatureBank) -> int:
    return sum(file.stat().st_size for file in bank.folder.rglob("patches.npy"))


@pytest.mark.slow
def test_banks_that_keep_less(banks: dict[str, FeatureBank]) -> None:
    assert len({bank.key for bank in banks.values()}) == 5
    whole = np.asarray(banks["all"].patches[:]).astype(np.float32)
    for kind in ("int8", "float8"):
        bank = banks[kind]
        assert isinstance(bank.patches, PackedRows)
        assert (bank.patches.shape, bank.patches.nbytes) == (whole.shape, whole.nbytes // 2)
        found = bank.patches[np.array([5, 1])].astype(np.float32)
        assert np.abs(found - whole[[5, 1]]).max() <= BOUND[kind] * np.abs(whole).max() * 1.1
        assert np.array_equal(bank.patches[3:6], np.asarray(bank.samples(np.arange(3, 6)).patches))
        on_disk = bank.samples(np.array([9, 2]), room_bytes=0).patches
        assert isinstance(on_disk, StoredTokens)
        assert torch.equal(on_disk[:], torch.from_numpy(bank.patches[np.array([9, 2])]))
        assert _bytes_of_patches(bank) < 0.65 * _bytes_of_patches(banks["all"])
    quarter = banks["quarter"]
    assert (quarter.grid, quarter.patches.shape[1]) == ((3, 3), 9)
    maps = whole.reshape(len(whole), 5, 5, -1)
    np.testing.assert_allclose(quarter.patches[:, 0], maps[:, :2, :2].mean((1, 2)), rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(quarter.patches[:, 8], maps[:, 4, 4], rtol=2e-3, atol=2e-3)
    assert quarter.masks.shape[1:] == (3, 3)
    assert banks["pooled"].grid == (1, 1)
    np.testing.assert_allclose(banks["pooled"].patches[:, 0], whole.mean(1), rtol=2e-3, atol=2e-3)


@pytest.mark.slow
def test_a_probe_needs_pooled_tokens_only(banks: dict[str, FeatureBank]) -> None:
    values = {}
    for name in ("all", "pooled"):
        train = banks[name].samples(banks[name].is_train)
        probe = train_linear_probe(train, seed=0, device="cpu")
        values[name] = evaluate(probe, train, train, device="cpu")
    assert values["pooled"]["accuracy"] == pytest.approx(values["all"]["accuracy"], abs=100 / len(train))
    assert {"accuracy", "plausibility", "neighbours4", "consistency", "max_pooling"} <= values["all"].keys()
    places = {"plausibility", "pointing", "sid", "distinctiveness", "neighbours4", "consistency", "max_pooling"}
    assert not places & values["pooled"].keys()


@pytest.mark.slow
def test_a_model_of_packed_tokens_is_the_same_wherever_they_lie(banks: dict[str, FeatureBank]) -> None:
    config, found = DenseConfig(epochs=2, batch_size=5, precision="float32"), []
    for room in (0, 10**9):
        train = banks["int8"].samples(banks["int8"].is_train, room_bytes=room)
        model = train_dense(train, AdapterConfig(width=4, hidden=4, n_layers=1), config, seed=0, device="cpu")
        found.append((model.curves, dense_features(model, train, device="cpu").pooled.tobytes()))
    assert found[0] == found[1]


def test_keys_of_banks_that_keep_all_say_nothing_of_it(photos: DataConfig) -> None:
    network = make_backbone(BACKBONE, "folder")
    assert not isinstance(network, Kept)
    assert "kept" not in network.key_material()
    kept = make_backbone(replace(BACKBONE, keep="quarter"), "folder").key_material()
    assert kept == {**network.key_material(), "kept": {"tokens": "quarter"}}
    assert bank_key(photos, replace(BACKBONE, dtype="int8")) != bank_key(photos, BACKBONE)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_an_exported_model_sees_tokens_as_a_bank_keeps_them(dtype: str) -> None:
    network = make_backbone(replace(BACKBONE, dtype=dtype), "folder")
    tokens, cls = torch.randn(2, 25, 16), torch.randn(2, 16)
    found, seen = as_kept(network, tokens, cls)
    assert torch.equal(seen, cls.half().float())
    stored = packed(tokens, dtype, "")
    assert torch.equal(found, (torch.from_numpy(stored) if dtype == "float16" else unpacked(stored, dtype)).float())
    assert len(as_kept(network, tokens, None)) == 1


def test_who_needs_patches_says_so() -> None:
    pooled = replace(BACKBONE, keep="pooled")
    with pytest.raises(UsageError, match=r"backbone\.keep=pooled for a QPM"):
        require_patches(pooled)
    require_patches(BACKBONE)
    with pytest.raises(UsageError, match=r"backbone\.name=pixels"):
        make_backbone(BackboneConfig("pixels", dtype="int8"), "folder")


@pytest.mark.parametrize("kept", [{"dtype": "int4"}, 3, {"dtype": ["int8"]}])
def test_an_odd_bank_is_refused(kept: object) -> None:
    with pytest.raises(MalformedError, match="its tokens are kept as"):
        token_type_of({"kept": kept}, "bank.json")
    assert token_type_of(None, "bank.json") == token_type_of({}, "bank.json") == "float16"
