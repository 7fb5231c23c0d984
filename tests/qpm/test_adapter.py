"""The adapter against loops written from docs/explanation/method.md#adapter, and the cut of its last layer."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tuner.base.untrusted import MalformedError
from tuner.errors import UsageError
from tuner.features.samples import Samples
from tuner.qpm.adapter import Adapter, cut
from tuner.qpm.dense import DenseModel
from tuner.qpm.randomness import generator
from tuner.qpm.settings import ACTIVATIONS, POOLINGS, AdapterConfig

ACTIVATION = {
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
    "sigmoid": torch.sigmoid,
    "leaky_relu": torch.nn.functional.leaky_relu,
    "tanh": torch.tanh,
}


def make(config: AdapterConfig, dim: int = 6) -> Adapter:
    return Adapter(config, dim, generator(0, "test")).double()


def naive_layers(adapter: Adapter, tokens: Tensor) -> Tensor:
    """Training mode: every channel normalised by the batch's own mean and population variance."""
    for layer in adapter.layers:
        tokens = tokens @ layer.linear.weight.T + layer.linear.bias
        mean, variance = tokens.mean(0), tokens.var(0, unbiased=False)
        tokens = (tokens - mean) / (variance + 1e-5).sqrt() * layer.norm.weight + layer.norm.bias
        tokens = ACTIVATION[adapter.config.activation](tokens)
    return tokens


def test_published_parameter_counts() -> None:
    model = DenseModel(AdapterConfig(), 768, 200, (16, 16), generator(0, "test"))
    assert sum(p.numel() for p in model.adapter.parameters()) == 11_030_016
    assert sum(p.numel() for p in model.head.parameters()) == 102_600


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("with_cls", [True, False])
def test_every_pooling_equals_its_definition(pooling: str, with_cls: bool, train: Samples) -> None:
    adapter = make(AdapterConfig(width=5, hidden=7, n_layers=3, pooling=pooling, cls_in_batch_norm=with_cls))
    patches, cls = train.patches[:9].double(), train.cls[:9].double()
    n, p, _ = patches.shape
    if pooling.startswith("concat"):
        tokens = torch.stack([torch.cat([patches[i, j], cls[i]]) for i in range(n) for j in range(p)])
        out = naive_layers(adapter, tokens).reshape(n, p, 5)
        maps, of_cls = out, None
    elif with_cls or pooling in ("cls", "mean_avg"):
        tokens = torch.cat([patches.reshape(n * p, -1), cls])
        out = naive_layers(adapter, tokens)
        maps, of_cls = out[: n * p].reshape(n, p, 5), out[n * p :]
    else:
        maps, of_cls = naive_layers(adapter, patches.reshape(n * p, -1)).reshape(n, p, 5), None
    pooled = {
        "avg": lambda: maps.mean(1),
        "concat_avg": lambda: maps.mean(1),
        "max": lambda: maps.max(1).values,
        "concat_max": lambda: maps.max(1).values,
        "cls": lambda: of_cls,
        "mean_avg": lambda: (of_cls + maps.mean(1)) / 2,
    }[pooling]()
    got_maps, got_pooled = adapter.train()(train.patches[:9], train.cls[:9])
    torch.testing.assert_close(got_maps, maps)
    torch.testing.assert_close(got_pooled, pooled)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation(activation: str, train: Samples) -> None:
    adapter = make(AdapterConfig(width=5, hidden=7, n_layers=2, activation=activation))
    patches = train.patches[:4].double()
    maps, _ = adapter.train()(train.patches[:4], None)
    torch.testing.assert_close(maps.reshape(-1, 5), naive_layers(adapter, patches.reshape(-1, 6)))


def test_cls_counts_in_batch_statistics_only_in_training(train: Samples) -> None:
    config = AdapterConfig(width=5, hidden=7, n_layers=1)
    patches, cls = train.patches[:8], train.cls[:8] + 3
    means = {}
    for counts in (True, False):
        adapter = make(replace(config, cls_in_batch_norm=counts))
        adapter.train()(patches, cls)
        means[counts] = adapter.layers[0].norm.running_mean
        linear = adapter.layers[0].linear
        tokens = patches.double().reshape(-1, 6)
        tokens = torch.cat([tokens, cls.double()]) if counts else tokens
        torch.testing.assert_close(means[counts], 0.1 * linear(tokens).mean(0))
    assert not torch.allclose(means[True], means[False])
    with_cls, without = adapter.eval()(patches, cls), adapter(patches, None)
    assert torch.equal(with_cls[1], without[1])


@pytest.mark.parametrize("pooling", ["cls", "mean_avg", "concat_avg", "concat_max"])
def test_pooling_that_needs_cls_says_so(pooling: str, train: Samples) -> None:
    with pytest.raises(UsageError, match=f"pooling {pooling} on tokens without CLS"):
        make(AdapterConfig(width=5, hidden=7, pooling=pooling))(train.patches, None)


def test_no_layers_are_the_tokens_themselves(train: Samples) -> None:
    for pooling, expected in (("cls", train.cls.float()), ("avg", train.patches.float().mean(1))):
        adapter = Adapter(AdapterConfig(n_layers=0, pooling=pooling), 6)
        maps, pooled = adapter.train()(train.patches, train.cls)
        assert adapter.width == 6
        assert torch.equal(maps, train.patches.float())
        torch.testing.assert_close(pooled, expected)


def test_inner_dropout_needs_noise_and_spares_the_last_layer(train: Samples) -> None:
    config = AdapterConfig(width=5, hidden=7, n_layers=2, activation="sigmoid", dropout=0.5)
    adapter = make(config).train()
    plain, _ = adapter(train.patches, None)
    noisy, _ = adapter(train.patches, None, torch.Generator().manual_seed(0))
    again, _ = adapter(train.patches, None, torch.Generator().manual_seed(0))
    assert torch.equal(noisy, again)
    assert not torch.allclose(plain, noisy)
    assert (noisy > 0).all()  # a dropped sigmoid would be zero


def test_without_batch_norm_a_layer_is_linear_and_relu(train: Samples) -> None:
    adapter = make(AdapterConfig(width=5, hidden=7, n_layers=2, batch_norm=False)).train()
    maps, _ = adapter(train.patches[:4], train.cls[:4])
    tokens = train.patches[:4].double()
    for layer in adapter.layers:
        tokens = torch.relu(tokens @ layer.linear.weight.T + layer.linear.bias)
    torch.testing.assert_close(maps, tokens)
    assert not [name for name in adapter.state_dict() if "norm" in name]


def test_the_residual_adds_the_token_before_the_last_activation(train: Samples) -> None:
    adapter = make(AdapterConfig(width=6, hidden=7, n_layers=2, residual=True, batch_norm=False))
    patches = train.patches[:4].double()
    first, last = adapter.layers
    hidden = torch.relu(patches @ first.linear.weight.T + first.linear.bias)
    expected = torch.relu(hidden @ last.linear.weight.T + last.linear.bias + patches)
    torch.testing.assert_close(adapter(train.patches[:4], None)[0], expected)


@pytest.mark.parametrize(("pooling", "wanted"), [("avg", 6), ("concat_avg", 12)])
def test_a_residual_of_another_width_is_refused(pooling: str, wanted: int) -> None:
    with pytest.raises(UsageError, match=f"adds tokens of {wanted} numbers to 5 features") as told:
        make(AdapterConfig(width=5, hidden=7, residual=True, pooling=pooling))
    assert f"adapter.width={wanted}" in told.value.todo
    assert make(AdapterConfig(width=wanted, hidden=7, residual=True, pooling=pooling)).width == wanted


def test_the_scale_comes_before_a_relu_of_its_own(train: Samples) -> None:
    adapter = make(AdapterConfig(width=5, hidden=7, n_layers=2, activation="tanh", scale=True)).eval()
    raw = make(AdapterConfig(width=5, hidden=7, n_layers=2, activation="tanh")).eval()(train.patches, None)[0]
    assert torch.equal(adapter(train.patches, None)[0], raw.relu())  # it begins at 1
    adapter.scale.data = torch.tensor([1.0, 2.0, -1.0, 0.0, 0.5], dtype=torch.float64)
    torch.testing.assert_close(adapter(train.patches, None)[0], (raw * adapter.scale).relu())


@pytest.mark.parametrize("training", [True, False])
def test_cut_puts_out_the_chosen_columns_bit_for_bit(training: bool, train: Samples) -> None:
    """Weights and tokens on a coarse binary grid, so that no matrix product rounds, in whatever order."""
    adapter = make(AdapterConfig(width=11, hidden=7, n_layers=1)).train()
    patches, cls = train.patches.round(decimals=0), train.cls.round(decimals=0)
    for parameter in adapter.parameters():
        parameter.data = (parameter.data * 16).round() / 16
    adapter(patches, cls)  # running statistics other than the initial ones
    features = torch.tensor([9, 2, 5])
    smaller = cut(adapter, features).train(training)
    whole, _ = adapter.train(training)(patches, cls)
    maps, _ = smaller(patches, cls)
    assert torch.equal(maps, whole[:, :, features])
    for name in ("running_mean", "running_var"):
        kept, all_of_them = (getattr(a.layers[-1].norm, name) for a in (smaller, adapter))
        assert torch.equal(kept, all_of_them[features])


def test_cut_of_a_deep_adapter(train: Samples) -> None:
    adapter = make(AdapterConfig(width=11, hidden=7, n_layers=3)).train()
    adapter(train.patches, train.cls)
    features = torch.tensor([9, 2, 5])
    smaller = cut(adapter, features).eval()
    assert smaller.width == 3
    torch.testing.assert_close(
        smaller(train.patches, None), tuple(v[..., features] for v in adapter.eval()(train.patches, None))
    )


ALL_OPTIONS = AdapterConfig(width=6, hidden=7, n_layers=3, residual=True, scale=True, batch_norm=False)


@pytest.mark.parametrize("config", [ALL_OPTIONS, replace(ALL_OPTIONS, batch_norm=True)])
def test_cut_and_files_keep_every_option(config: AdapterConfig, train: Samples, tmp_path: Path) -> None:
    adapter = make(config).train()
    adapter(train.patches, train.cls)
    adapter.scale.data = torch.linspace(-0.5, 2.0, 6, dtype=torch.float64)
    features = torch.tensor([5, 2, 3])
    smaller = cut(adapter, features).eval()
    whole = adapter.eval()(train.patches, None)[0]
    torch.testing.assert_close(smaller(train.patches, None)[0], whole[..., features])
    again = cut(smaller, torch.tensor([2, 0])).eval()
    torch.testing.assert_close(again(train.patches, None)[0], whole[..., [3, 5]])

    model = DenseModel(config, 6, 4, (3, 4), generator(1, "test")).eval()
    model.save(tmp_path)
    loaded = DenseModel.load(tmp_path)
    assert torch.equal(loaded.logits(train.patches), model.logits(train.patches))
    model.adapter.columns[0] = 6
    model.save(tmp_path)
    with pytest.raises(MalformedError, match="columns of the residual from 1 to 6"):
        DenseModel.load(tmp_path)
