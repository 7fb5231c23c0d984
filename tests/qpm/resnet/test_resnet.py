"""ResNets end to end, at toy size: learning, fine-tuning behind a binary head, files, resumption, initial weights."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tuner.errors import TunerError, UsageError
from tuner.features.resnet_network import build_network
from tuner.features.resnet_weights import initial_weights, renamed
from tuner.features.samples import Samples
from tuner.qpm import evaluate, explain
from tuner.qpm.assignment import Assignment
from tuner.qpm.resnet.model import ResnetModel, ResnetQpm
from tuner.qpm.resnet.settings import ResnetConfig, ResnetFinetuneConfig
from tuner.qpm.resnet.training import channel_statistics, finetune_resnet, train_resnet

pytestmark = pytest.mark.slow

SIDE, CROP = 40, 32
TOY = ResnetConfig(epochs=4, batch_size=8, crop=CROP, lr=0.02, augment=False)
TUNED = ResnetFinetuneConfig(epochs=2, batch_size=8, lr=1e-3)
CHOSEN = Assignment(
    features=np.array([3, 40, 200, 511]),
    matrix=np.array([[True, True, False, False], [False, False, True, True]]),
    mean=np.full(4, 0.5),
    std=np.ones(4),
)


def pictures(n: int, seed: int) -> Samples:
    """Two classes: a red square to the left, or a green one to the right."""
    draw = np.random.default_rng(seed)
    pixels = draw.integers(0, 90, (n, SIDE, SIDE, 3))
    labels = np.arange(n) % 2
    masks = np.zeros((n, SIDE, SIDE), np.uint8)
    for i, label in enumerate(labels):
        left = 6 + 16 * label
        pixels[i, 14:26, left : left + 12, label] = 250
        masks[i, 14:26, left : left + 12] = 255
    return Samples(
        patches=torch.from_numpy(pixels.reshape(n, -1, 3)).half(),
        cls=None,
        labels=torch.from_numpy(labels),
        masks=torch.from_numpy(masks),
        has_mask=torch.ones(n, dtype=torch.bool),
        grid=(SIDE, SIDE),
        n_classes=2,
    )


@pytest.fixture(scope="module")
def train() -> Samples:
    return pictures(40, 0)


@pytest.fixture(scope="module")
def initial() -> dict[str, torch.Tensor]:
    return initial_weights("none", 18)


@pytest.fixture(scope="module")
def model(train, initial) -> ResnetModel:
    return train_resnet(train, initial, 18, TOY, seed=0, device="cpu")


def test_it_learns_and_is_measured_on_its_own_grid(model, train):
    test = model.seen(pictures(20, 1))
    assert test.masks.shape == (20, 4, 4)
    assert test.masks[0, 1, 1] == 255, "the square of the first image lies in the crop from 2 to 14 pixels"
    assert test.masks[0, :, 3].sum() == 0
    values = evaluate(model, train, pictures(20, 1), device="cpu")
    assert values["accuracy"] >= 90.0
    assert {"plausibility", "class_independence", "sid5"} <= values.keys()
    assert model.curves[-1]["loss"] < model.curves[0]["loss"]


def test_files(model, train, tmp_path):
    model.save(tmp_path)
    again = ResnetModel.load(tmp_path)
    assert torch.equal(again.logits(train.patches), model.logits(train.patches))
    about = (tmp_path / "model.json").read_text()
    for name, value, said in (("width", 100000, "its width is 100000"), ("crop", 64, "its crop is 64")):
        (tmp_path / "model.json").write_text(re.sub(rf'"{name}": \d+', f'"{name}": {value}', about))
        with pytest.raises(TunerError, match=said):
            ResnetModel.load(tmp_path)


def test_behind_a_binary_head(model, train, tmp_path):
    tuned = finetune_resnet(model, CHOSEN, train, TUNED, seed=0, device="cpu")
    maps, pooled, logits = tuned(train.patches[:3])
    assert maps.shape == (3, 16, 4)
    assert torch.allclose(logits, (pooled - 0.5) @ tuned.weight.T, atol=1e-5)
    plain = model.adapter(train.patches[:3])[1][:, CHOSEN.features]
    before = model.adapter.cut(torch.as_tensor(CHOSEN.features))(train.patches[:3])[1]
    assert torch.allclose(before, plain), "the cut network puts out the chosen channels"
    tuned.save(tmp_path)
    assert torch.equal(ResnetQpm.load(tmp_path).logits(train.patches), tuned.logits(train.patches))
    first = explain(tuned, train, 0).evidence[0][0]
    assert first.saliency.shape == tuned.map_grid == (4, 4)


def test_a_resumed_run_ends_at_the_same_weights(train, initial, tmp_path):
    config = replace(TOY, epochs=2, augment=True)
    whole = train_resnet(train, initial, 18, config, seed=1, device="cpu")
    file = tmp_path / "run.ckpt"
    train_resnet(train, initial, 18, replace(config, epochs=1), seed=1, device="cpu", checkpoint=file)
    resumed = train_resnet(train, initial, 18, config, seed=1, device="cpu", checkpoint=file)
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items())
    assert resumed.curves == whole.curves
    with pytest.raises(UsageError, match="already has 2 epochs"):
        train_resnet(train, initial, 18, replace(config, epochs=1), seed=1, device="cpu", checkpoint=file)


def test_pixels_are_normalised_by_those_of_train(train):
    mean, std = channel_statistics(train.patches)
    values = train.patches.double().flatten(0, 1)
    assert torch.allclose(mean.double(), values.mean(0), atol=1e-3)
    assert torch.allclose(std.double(), values.std(0, unbiased=False), atol=1e-3)


def test_a_crop_larger_than_the_image(train, initial):
    with pytest.raises(UsageError, match=r"resnet.crop=224 of images of 40 pixels"):
        train_resnet(train, initial, 18, ResnetConfig(), seed=0, device="cpu")


def test_maps_of_the_last_two_stages_are_as_fine_as_those_of_the_second():
    network = build_network(50, torch.Generator().manual_seed(0)).eval()
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 2048, 8, 8)


def test_weights_by_the_names_of_torchvision(initial, tmp_path):
    """The names are those of torchvision.models.resnet18."""
    theirs = ["conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var"]
    for stage in range(1, 5):
        for block in range(2):
            parts = ["conv1", "bn1", "conv2", "bn2"] + (["downsample.0", "downsample.1"] if stage > 1 > block else [])
            for part in parts:
                is_norm = "bn" in part or part.endswith(".1")
                kinds = ["weight", "bias", "running_mean", "running_var"] if is_norm else ["weight"]
                theirs += [f"layer{stage}.{block}.{part}.{kind}" for kind in kinds]
    assert {renamed(name) for name in theirs} == initial.keys()
    file = tmp_path / "resnet18.safetensors"
    save_file({name: initial[renamed(name)] for name in theirs} | {"fc.weight": torch.zeros(1000, 512)}, file)
    assert all(torch.equal(value, initial[name]) for name, value in initial_weights(str(file), 18).items())
    with pytest.raises(UsageError, match=r"does not hold a ResNet of 34 layers: \d+ tensors differ"):
        initial_weights(str(file), 34)
