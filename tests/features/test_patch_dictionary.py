"""The dictionary is fitted on what it is given, deterministic, and good enough for digits."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import UsageError
from tuner.features.loading import batches
from tuner.features.patch_dictionary import PatchDictionary
from tuner.features.settings import BackboneConfig


def _digits(n: int) -> torch.Tensor:
    return next(batches(load_dataset(DataConfig()), range(n), 16, (8, 8), n)).images


def test_patches_are_the_neighbourhoods_of_the_cells() -> None:
    dictionary = PatchDictionary(BackboneConfig(n_atoms=4, patch_size=4, grid=8))
    images = _digits(2)
    patches = dictionary._patches(images)
    assert patches.shape == (2, 64, 48)
    pixels = images[1].float() / 255
    row, column = 3, 5  # the patch reaches one pixel beyond its cell of 2 x 2 on each side
    cut = pixels[:, 2 * row - 1 : 2 * row + 3, 2 * column - 1 : 2 * column + 3].flatten()
    cut = cut - cut.mean()
    expected = cut / (cut.square().mean() + 100 / 255**2).sqrt()
    assert torch.allclose(patches[1, 8 * row + column], expected, atol=1e-5)


def test_triangle_encoding() -> None:
    dictionary = PatchDictionary(BackboneConfig(n_atoms=6, patch_size=4, grid=4, image_size=16))
    images = _digits(40)
    assert dictionary.needs_fit()
    dictionary.fit([images[:20], images[20:]])
    assert not dictionary.needs_fit()
    state = dictionary.state()
    whitened = ((dictionary._patches(images) - state["mean"]) @ state["whitening"])[:, :, None]
    distance = (whitened - state["atoms"]).norm(dim=-1)
    tokens, cls = dictionary.tokens(images)
    assert cls is None
    assert tokens.shape == (40, 16, 6)
    assert torch.allclose(tokens, (distance.mean(-1, keepdim=True) - distance).clamp(min=0), atol=1e-3)


@pytest.mark.slow
def test_what_is_learned_does_not_depend_on_threads() -> None:
    """Patches of 768 values, of smooth images: with as many, threads changed the last bits of the whitening."""
    coarse = torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    images = torch.nn.functional.interpolate(coarse, size=64, mode="bilinear").mul(255).byte()
    n_threads, states = torch.get_num_threads(), []
    for n in (1, 4):
        dictionary = PatchDictionary(BackboneConfig(n_atoms=2, patch_size=16, grid=8, image_size=64))
        torch.set_num_threads(n)
        try:
            dictionary.fit([images])
            assert torch.get_num_threads() == n
        finally:
            torch.set_num_threads(n_threads)
        states.append(dictionary.state())
    assert all(torch.equal(values, states[1][name]) for name, values in states[0].items())


def test_whitening_makes_directions_equal() -> None:
    torch.manual_seed(0)
    images = torch.randint(0, 256, (300, 3, 8, 8), dtype=torch.uint8)
    dictionary = PatchDictionary(BackboneConfig(n_atoms=2, patch_size=2, grid=4, image_size=8))
    dictionary.fit([images])
    state = dictionary.state()
    whitened = (dictionary._patches(images).flatten(0, 1) - state["mean"]) @ state["whitening"]
    values = torch.linalg.eigvalsh(torch.cov(whitened.T))
    assert values[1:].min() > 0.8  # eigenvalue / (eigenvalue + 0.1); the first is the mean, which was taken away
    assert values.max() < 1.0
    assert abs(values[0]) < 1e-5


def test_fit_is_deterministic_and_its_state_is_enough() -> None:
    images, config = _digits(60), BackboneConfig(n_atoms=8)
    one, two, other = PatchDictionary(config), PatchDictionary(config), PatchDictionary(config)
    one.fit([images])
    two.fit([images[:7], images[7:]])
    other.load_state(one.state())
    assert torch.equal(one.tokens(images)[0], two.tokens(images)[0])
    assert torch.equal(one.tokens(images)[0], other.tokens(images)[0])


def test_settings_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="multiple of the grid"):
        PatchDictionary(BackboneConfig(image_size=17))
    with pytest.raises(UsageError, match="leaves gaps"):
        PatchDictionary(BackboneConfig(image_size=64, patch_size=4))
    with pytest.raises(UsageError, match=r"64 training patches for backbone\.n_atoms=100"):
        PatchDictionary(BackboneConfig(n_atoms=100)).fit([_digits(1)])


@pytest.mark.slow
def test_a_linear_probe_reads_the_digits() -> None:
    data, dictionary = load_dataset(DataConfig()), PatchDictionary(BackboneConfig())
    train = np.flatnonzero(data.is_train)
    dictionary.fit(batch.images for batch in batches(data, train, 16, (8, 8), 256))
    loaded = batches(data, range(len(data)), 16, (8, 8), 256)
    pooled = torch.cat([dictionary.tokens(batch.images)[0].mean(1) for batch in loaded]).numpy()
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    probe.fit(pooled[train], data.labels[train])
    assert probe.score(pooled[~data.is_train], data.labels[~data.is_train]) > 0.97
