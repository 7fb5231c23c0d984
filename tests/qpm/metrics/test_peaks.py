"""Metrics of where features peak, on maps made by hand whose answers are arithmetic."""

import math

import pytest
import torch
from torch import Tensor

from tuner.qpm.metrics.consistency import consistency, consistency_across_classes
from tuner.qpm.metrics.distinctiveness import distinctiveness
from tuner.qpm.metrics.kinds import TrainFeatures
from tuner.qpm.metrics.parts import of_features
from tuner.qpm.metrics.peaks import top_images, top_images_of_classes
from tuner.qpm.metrics.pointing import pointing


def maps_with_peaks(*peaks: int, n_patches: int = 6) -> Tensor:
    """One image, (1, n_patches, width): feature j is 1 at its peak and 0 elsewhere; -1 for one that is constant."""
    maps = torch.zeros(1, n_patches, len(peaks))
    for j, peak in enumerate(peaks):
        maps[0, peak if peak >= 0 else slice(None), j] = 1.0
    return maps


@pytest.mark.parametrize(
    ("peaks", "weight", "expected"),
    [
        ((0, 1, 2, 3), (1, 1, 1, 1), 1.0),
        ((4, 4, 4), (1, 1, 1), 0.0),
        ((0, 0, 1, 2), (1, 1, 1, 1), 5 / 6),  # one pair of six
        ((0, 0, 1, 1), (2, 1, 3, 1), 4 / 6),
        ((0, 0, 1), (1, -1, 1), 1.0),  # what speaks against the class does not count
        ((0, 0, 1), (1, 0, 1), 1.0),  # nor what it does not use
        ((0, -1, 1), (1, 1, 1), 1.0),  # nor what has no peak
        ((0, -1), (1, 1), math.nan),
        ((0,), (1,), math.nan),
    ],
)
def test_distinctiveness(peaks: tuple[int, ...], weight: tuple[int, ...], expected: float) -> None:
    got = distinctiveness(maps_with_peaks(*peaks), torch.tensor([weight]).float())
    assert got.tolist() == pytest.approx([expected], nan_ok=True)


def test_distinctiveness_of_each_image_is_its_own() -> None:
    maps = torch.cat([maps_with_peaks(0, 1), maps_with_peaks(3, 3)])
    assert distinctiveness(maps, torch.ones(2, 2)).tolist() == [1.0, 0.0]


def test_pointing() -> None:
    saliency = torch.tensor([[0.0, 2.0, 1.0], [3.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 1.0]])
    tokens = torch.tensor([[0.0, 1.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.0]])
    assert pointing(saliency, tokens).tolist() == [1.0, 0.0, 0.0, 1.0]


def test_top_images_are_the_largest_and_fire() -> None:
    features = torch.tensor([[0.0, 5.0], [3.0, 5.0], [3.0, 5.0], [1.0, 5.0]])
    rows, fires = top_images(features, 3)
    assert rows[:, 0].tolist() == [1, 2, 3]
    assert fires[:, 0].all()
    assert not fires[:, 1].any(), "a constant feature fires nowhere"


def test_consistency_of_what_is_the_same_and_of_opposites() -> None:
    features = torch.tensor([[4.0, 1.0], [3.0, 2.0], [0.0, 0.0]])
    tokens = torch.zeros(3, 4, 2)
    tokens[0], tokens[1] = (
        torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]]),
        torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]]),
    )  # the mean is 0
    same, opposite, square = (torch.tensor([[a, a], [b, b], [0, 0]]) for a, b in ((0, 0), (0, 2), (0, 1)))
    assert consistency(features, same, tokens) == pytest.approx(1.0)
    assert consistency(features, opposite, tokens) == pytest.approx(-1.0)
    assert consistency(features, square, tokens) == pytest.approx(0.0, abs=1e-6)
    mixed = torch.stack([same[:, 0], square[:, 1]], 1)
    assert consistency(features, mixed, tokens) == pytest.approx(0.5)
    assert consistency(features, same, tokens + 7.0) == pytest.approx(1.0), "what all tokens share says nothing"
    assert consistency(features, opposite, tokens + 7.0) == pytest.approx(-1.0)
    assert consistency(torch.ones(3, 2), same, tokens) is None


def test_consistency_is_the_mean_over_pairs() -> None:
    draw = torch.Generator().manual_seed(0)
    features, tokens = torch.rand(30, 3, generator=draw), torch.randn(30, 5, 4, generator=draw)
    peaks = torch.randint(0, 5, (30, 3), generator=draw)
    centred = tokens - tokens.mean((0, 1))
    values = []
    for j in range(3):
        top = sorted(range(30), key=lambda i: -float(features[i, j]))[:10]
        under = [centred[i, peaks[i, j]] for i in top]
        pairs = [torch.cosine_similarity(under[a], under[b], 0) for a in range(10) for b in range(a)]
        values.append(sum(map(float, pairs)) / len(pairs))
    assert consistency(features, peaks, tokens) == pytest.approx(sum(values) / 3, rel=1e-4)


def test_top_images_of_each_class() -> None:
    features = torch.tensor([[0.0], [3.0], [5.0], [1.0], [4.0], [2.0]])
    rows, fires = top_images_of_classes(features, torch.tensor([0, 0, 1, 0, 0, 0]), 3, 2)
    assert rows[:, :, 0].tolist() == [[4, 1], [2, 0], [0, 0]]
    assert fires[:, :, 0].tolist() == [[True, True], [True, False], [False, False]]


def test_consistency_across_classes_asks_those_that_share_a_feature() -> None:
    tokens = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]]).repeat(6, 1, 1)
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    features = torch.tensor([5.0, 4, 3, 2, 1, 0]).unsqueeze(1)
    of_classes = {0: [0, 0], 1: [0, 2], 2: [1, 1]}  # what 1 points at cancels; image 5 does not fire
    peaks = torch.tensor([of_classes[int(c)][i % 2] for i, c in enumerate(labels)]).unsqueeze(1)

    def shared(*classes: int) -> float | None:
        weight = torch.tensor([[float(c in classes)] for c in range(3)])
        return consistency_across_classes(features, peaks, tokens, labels, weight)

    assert shared(0, 1) == pytest.approx(0.0, abs=1e-6)
    assert shared(0, 2) == pytest.approx(0.0, abs=1e-6)
    peaks[labels == 1] = 0
    assert shared(0, 1) == pytest.approx(1.0)
    assert shared(0, 1, 2) == pytest.approx(1 / 3)
    peaks[labels == 2] = 2
    assert shared(0, 2) == pytest.approx(-1.0)
    assert shared(0) is None


def seen(peaks: list[int], parts: list[list[tuple[float, float, int]]]) -> TrainFeatures:
    """One feature that fires in every image but the last, on a grid of 7 x 7."""
    n = len(peaks)
    features = torch.arange(n, 0, -1).float().unsqueeze(1) - 1.0
    keypoints = torch.tensor(parts)
    zeros = torch.zeros(n, dtype=torch.int64)
    return TrainFeatures(
        features,
        zeros,
        1,
        None,
        torch.tensor(peaks).unsqueeze(1),
        torch.zeros(n, 49, 1),
        (7, 7),
        torch.ones(1, 1),
        keypoints,
    )


def test_parts_nearest_and_inside() -> None:
    beak, tail = (0.5, 0.5, 1), (6.5, 6.5, 1)
    hidden = (6.5, 6.5, 0)
    peaks = [0, 0, 48, 24, 0]  # upper left, upper left, lower right, the middle; the last does not fire
    found = of_features(seen(peaks, [[beak, tail], [beak, hidden], [beak, tail], [beak, hidden], [beak, tail]]))
    assert found["part_consistency"] == pytest.approx(3 / 4)  # beak, beak, tail; of the middle the only visible one
    assert found["purity"] == pytest.approx(2 / 4)  # and that one is outside of the window


def test_the_window_is_a_seventh_of_the_image() -> None:
    near = [[(0.9, 0.1, 1)], [(1.0, 1.0, 1)], [(1.01, 0.5, 1)], [(0.5, 0.5, 1)]]
    assert of_features(seen([0, 0, 0, 0], near))["purity"] == pytest.approx(2 / 3)


def test_parts_of_images_without_one_are_left_out() -> None:
    hidden, there = [(0.5, 0.5, 0)], [(0.5, 0.5, 1)]
    assert of_features(seen([0, 0, 0, 0], [hidden, there, there, there]))["purity"] == 1.0
    assert of_features(seen([0, 0, 0], [hidden, there, hidden])) == {}
