"""Small samples with everything a data set can have: CLS, masks, attributes; and models made from them."""

import pytest
import torch

from tuner.features.samples import Samples
from tuner.qpm.assignment import Assignment, assign
from tuner.qpm.dense import DenseModel, dense_features, train_dense
from tuner.qpm.settings import AdapterConfig, AssignConfig, DenseConfig

GRID, DIM, N_CLASSES = (3, 4), 6, 4


def make_samples(n: int = 48, seed: int = 0) -> Samples:
    """Images of four classes: each class lights up its own token pattern; noise on top."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % N_CLASSES
    prototypes = torch.randn(N_CLASSES, DIM, generator=torch.Generator().manual_seed(7))
    patches = 0.5 * torch.randn(n, GRID[0] * GRID[1], DIM, generator=draw)
    place = torch.randint(1, 8, (n,), generator=draw)
    for shift in (0, 1):
        patches[torch.arange(n), place + shift] += 2 * prototypes[labels]
    masks = torch.zeros(n, GRID[0] * GRID[1], dtype=torch.uint8)
    masks[torch.arange(n), place] = 255
    has_mask = torch.arange(n) % 5 != 0
    parts = torch.rand(n, 3, 3, generator=torch.Generator().manual_seed(seed)) * torch.tensor([*GRID[::-1], 1])
    parts[:, :, 2] = parts[:, :, 2].round()
    attributes = torch.randint(-1, 2, (n, 7), generator=draw, dtype=torch.int8)
    return Samples(
        patches=patches.half(),
        cls=patches.mean(1).half(),
        labels=labels,
        masks=masks.unflatten(1, GRID),
        has_mask=has_mask,
        grid=GRID,
        n_classes=N_CLASSES,
        image_attributes=attributes,
        class_attributes=torch.rand(N_CLASSES, 9, generator=draw),
        parts=parts,
    )


@pytest.fixture(scope="session")
def train() -> Samples:
    return make_samples()


@pytest.fixture(scope="session")
def held_out() -> Samples:
    return make_samples(30, seed=1)


@pytest.fixture(scope="session")
def adapter() -> AdapterConfig:
    return AdapterConfig(width=16, hidden=12, n_layers=2)


@pytest.fixture(scope="session")
def dense(train: Samples, adapter: AdapterConfig) -> DenseModel:
    config = DenseConfig(epochs=6, batch_size=10, lr=1e-2, precision="float32")
    return train_dense(train, adapter, config, seed=3, device="cpu")


@pytest.fixture(scope="session")
def assignment(dense: DenseModel, train: Samples) -> Assignment:
    config = AssignConfig(n_features=8, features_per_class=5)
    return assign(dense_features(dense, train, device="cpu"), config, seed=3)
