"""Stability: changes of images are what they say, and what stays is counted as by hand."""

import pytest
import torch

from tuner.qpm import AdapterConfig, DenseModel
from tuner.qpm.classifier import Activations
from tuner.qpm.stability import CHANGES, changed, compared, summary


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    """Five smooth pictures."""
    ramp = torch.linspace(40, 200, 24)
    pictures = [ramp[None, None, :].expand(3, 24, 24) * (0.5 + 0.1 * i) for i in range(5)]
    return torch.stack(pictures).to(torch.uint8)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_does_not_depend_on_the_batch(change: str, images: torch.Tensor) -> None:
    whole = changed(images, change, 0)
    assert (whole.shape, whole.dtype) == (images.shape, torch.uint8)
    parts = [changed(images[:2], change, 0), changed(images[2:], change, 2)]
    assert torch.equal(whole, torch.cat(parts))
    assert not torch.equal(whole, images)


def test_changes_are_what_they_say(images: torch.Tensor) -> None:
    assert torch.equal(changed(images, "mirror", 0), images.flip(3))
    noise = changed(images, "noise", 0).double() - images.double()
    assert float(noise.std()) == pytest.approx(8.0, abs=0.5)
    assert not torch.equal(noise[0], noise[1])
    assert float((changed(images, "jpeg", 0).double() - images.double()).abs().mean()) < 4.0


@pytest.fixture(scope="module")
def model() -> DenseModel:
    """Three features on a grid of 2 x 4; class 0 uses the first two, class 1 the last."""
    found = DenseModel(AdapterConfig(width=3, hidden=3, n_layers=1), 5, 2, (2, 4), torch.Generator().manual_seed(0))
    with torch.no_grad():
        found.head.weight.copy_(torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]]))
    return found


def seen(peaks: list[list[int]], pooled: list[list[float]], logits: list[list[float]]) -> Activations:
    """Maps with these peaks, (n, 3)."""
    maps = torch.zeros(len(peaks), 8, 3)
    maps.scatter_(1, torch.tensor(peaks).unsqueeze(1), 1.0)
    return Activations(maps, torch.tensor(pooled), torch.tensor(logits))


def test_what_stays_is_counted_as_by_hand(model: DenseModel) -> None:
    plain = seen([[0, 5, 7]] * 2, [[1.0, 1.0, 1.0]] * 2, [[3.0, 1.0]] * 2)
    # the first peak moves by one column, the second by two; half of the second feature's evidence goes
    other = seen([[1, 7, 0], [0, 5, 7]], [[1.0, 0.5, 9.0], [1.0, 1.0, 1.0]], [[0.0, 1.0], [3.0, 1.0]])
    found = compared(model, plain, other, mirrored=False)
    assert found[0].tolist() == pytest.approx([0.0, 1 - 1.0 / (3.0 + 2.0), 0.5])
    assert found[1].tolist() == [1.0, 1.0, 1.0]
    values = summary([found[:1], found[1:]])
    assert (values.decision, values.peaks, values.n_images) == (50.0, 75.0, 2)
    assert values.evidence == pytest.approx(90.0)


def test_peaks_of_a_mirror_image_are_mirrored_back(model: DenseModel) -> None:
    plain = seen([[0, 5, 7]], [[1.0, 1.0, 1.0]], [[3.0, 1.0]])
    mirrored = seen([[3, 6, 4]], [[1.0, 1.0, 1.0]], [[3.0, 1.0]])
    assert compared(model, plain, mirrored, mirrored=True)[0].tolist() == [1.0, 1.0, 1.0]
    assert compared(model, plain, mirrored, mirrored=False)[0, 2] == 0.5
