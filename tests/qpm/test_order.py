"""The order of an epoch: every image once, drawn by the seed, and near its neighbours where it is read in blocks."""

import pytest
import torch

from tuner.qpm import order
from tuner.qpm.order import permutation


def draw(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shuffle", ["full", "blocks"])
@pytest.mark.parametrize("n", [1, 5, 63, 64, 65, 500])
def test_every_image_comes_once_in_an_order_of_the_seed(shuffle: str, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "BLOCK_BYTES", 50)
    monkeypatch.setattr(order, "WINDOW_BYTES", 640)
    found = permutation(n, 10, 8, shuffle, draw())
    assert found.sort().values.tolist() == list(range(n))
    assert torch.equal(found, permutation(n, 10, 8, shuffle, draw()))
    assert n == 1 or not torch.equal(found, permutation(n, 10, 8, shuffle, draw(1)))
    in_one_window = torch.equal(found, permutation(n, 10, 8, "full", draw()))
    assert in_one_window == (shuffle == "full" or n <= 64)


def test_a_window_reads_whole_blocks_of_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "BLOCK_BYTES", 50)
    monkeypatch.setattr(order, "WINDOW_BYTES", 649)
    windows = permutation(640, 10, 8, "blocks", draw()).view(10, 64)
    for window in windows:
        _, counts = (window // 5).unique(return_counts=True)
        assert (counts == 5).sum() >= 11  # of 12.8 blocks, those cut at its two ends apart
        assert not torch.equal(window, window.sort().values)
    assert torch.equal(permutation(640, 10**9, 8, "blocks", draw()).sort().values, torch.arange(640))
