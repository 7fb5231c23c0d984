"""Streamed tokens make the batches that resident ones make, whatever the size of a block."""

import threading
from dataclasses import replace

import pytest
import torch

from tests.qpm.conftest import make_samples
from tuner.features import samples as samples_module
from tuner.features.feeding import gathered, in_order
from tuner.features.samples import Samples
from tuner.qpm import AdapterConfig, DenseConfig, dense_features, evaluate, train_dense


@pytest.fixture(scope="module")
def resident() -> Samples:
    return make_samples()


@pytest.fixture(scope="module")
def streamed(resident: Samples) -> Samples:
    return replace(resident, streamed=True)


IMAGE = 12 * 6 * 2 + 6 * 2  # bytes of the tokens of one image


@pytest.mark.parametrize("block_bytes", [1, 7 * IMAGE, 15 * IMAGE, 10**9], ids=["tiny", "one", "two", "all"])
def test_streamed_batches_are_the_resident_ones(block_bytes: int, resident: Samples, streamed: Samples) -> None:
    index = torch.randperm(48, generator=torch.Generator().manual_seed(1))[:40]
    found, expected = gathered(streamed, index, 7, block_bytes), gathered(resident, index, 7)
    sizes = []
    for batch, same in zip(found, expected, strict=True):
        assert all(torch.equal(part, other) for part, other in zip(batch, same, strict=True))
        sizes.append(len(batch[2]))
    assert sizes == [7, 7, 7, 7, 7, 5]
    without = replace(streamed, cls=None)
    assert all(cls is None for _, cls, _ in gathered(without, index, 7, block_bytes))


def test_streamed_images_come_in_order(resident: Samples, streamed: Samples) -> None:
    for (rows, tokens), (same, others) in zip(in_order(streamed, 20), in_order(resident, 20), strict=True):
        assert rows == same
        assert all(torch.equal(part, other) for part, other in zip(tokens, others, strict=True))


def test_who_stops_listening_leaves_no_thread(streamed: Samples) -> None:
    batches = gathered(streamed, torch.arange(48), 4, 4 * IMAGE)
    next(batches)
    batches.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("tokens")]


def test_a_model_of_streamed_tokens_is_the_same_model(
    resident: Samples, streamed: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuner.features.feeding.BLOCK_BYTES", 9 * IMAGE)
    monkeypatch.setattr(Samples, "near", lambda samples, device: samples)  # `near` would bring them home to the CPU
    config = DenseConfig(epochs=2, batch_size=10, precision="float32", held_out=0.2)
    found = []
    for samples in (resident, streamed):
        model = train_dense(samples, AdapterConfig(width=8, hidden=8, n_layers=2), config, seed=1, device="cpu")
        found.append((model.curves, dense_features(model, samples, device="cpu"), evaluate(model, samples, samples)))
    assert found[0][0] == found[1][0]
    assert (found[0][1].pooled == found[1][1].pooled).all()
    assert found[0][2] == found[1][2]


def test_tokens_that_do_not_fit_stay_where_they_are(resident: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    far = torch.device("meta")
    monkeypatch.setattr(samples_module, "room_bytes", lambda device: resident.token_bytes - 1)
    kept = resident.near(far)
    assert kept.streamed
    assert kept.device == kept.masks.device == far
    assert kept.patches is resident.patches
    assert kept.cls is resident.cls
    assert len(kept) == 48
    assert not resident.near(torch.device("cpu")).streamed
    monkeypatch.setattr(samples_module, "room_bytes", lambda device: resident.token_bytes)
    assert not resident.near(far).streamed
    assert resident.near(far).patches.device == far


def test_images_of_streamed_samples_are_chosen_where_each_part_lies(resident: Samples) -> None:
    rest = replace(resident, patches=resident.patches[:0], cls=None).to("meta")
    split = replace(rest, patches=resident.patches, cls=resident.cls, streamed=True)
    chosen = split.subset(torch.tensor([3, 1]))
    assert torch.equal(chosen.patches, resident.patches[[3, 1]])
    assert chosen.labels.shape == (2,)
    assert chosen.device.type == "meta"
