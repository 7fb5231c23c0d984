"""SLDD and Q-SENN: they learn, with the sparsity they promise; models survive the disk, runs an interruption."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.mutations import attempt, changed, mutations
from tests.qpm.conftest import make_samples
from tuner.base.untrusted import MalformedError
from tuner.errors import InfeasibleError, TunerError, UsageError
from tuner.features.samples import Samples
from tuner.qpm import AdapterConfig, DenseModel, QsennConfig, SlddConfig, SparseModel, evaluate, explain
from tuner.qpm.explanation import compare_classes, nearest_classes
from tuner.qpm.qsenn import ternary, train_qsenn
from tuner.qpm.selection import selected_model
from tuner.qpm.sldd import largest, train_sldd

SMALL: dict[str, Any] = {
    "n_features": 8,
    "features_per_class": 2,
    "batch_size": 10,
    "precision": "float32",
    "select_lambdas": 12,
}
SLDD = SlddConfig(**SMALL, epochs=4, densest=6, path_lambdas=12)
QSENN = QsennConfig(**SMALL, epochs=5, rounds=2, round_epochs=3)


@pytest.fixture(scope="module")
def sldd(dense: DenseModel, train: Samples) -> SparseModel:
    return train_sldd(dense, train, SLDD, seed=1, device="cpu")


@pytest.fixture(scope="module")
def qsenn(dense: DenseModel, train: Samples) -> SparseModel:
    return train_qsenn(dense, train, QSENN, seed=1, device="cpu")


def test_sldd_has_its_weights_and_learns(sldd: SparseModel, train: Samples, held_out: Samples) -> None:
    values = evaluate(sldd, train, held_out, device="cpu")
    assert values["accuracy"] > 75  # of four classes
    assert values["features_per_class_used"] == 2
    assert values["n_features_used"] <= 8
    assert len(sldd.weight[sldd.weight != 0].unique()) == 8, "real weights"
    assert (sldd.weight < 0).any()
    assert [row["epoch"] for row in sldd.curves] == [1, 2, 3, 4]
    assert sldd.info["n_weights"] == 8
    assert sorted(sldd.info["selected"]) == sldd.features.tolist()


def test_qsenn_is_ternary_and_learns(qsenn: SparseModel, train: Samples, held_out: Samples) -> None:
    values = evaluate(qsenn, train, held_out, device="cpu")
    assert values["accuracy"] > 75
    assert values["features_per_class_used"] == 2
    a = float(qsenn.weight.max())
    assert qsenn.weight.unique().tolist() == pytest.approx([-a, 0, a])
    assert [row["epoch"] for row in qsenn.curves] == [1, 2, 3, 4, 5]
    assert len(qsenn.info["rounds"]) == 2


def test_mean_and_deviation_are_trained_and_the_weights_are_not(
    dense: DenseModel, train: Samples, sldd: SparseModel
) -> None:
    barely = train_sldd(dense, train, replace(SLDD, epochs=1, lr=1e-12), seed=1, device="cpu")
    assert torch.equal(barely.weight, sldd.weight)
    assert torch.equal(barely.bias, sldd.bias)
    for name in ("mean", "std"):
        assert (getattr(barely.head, name) - getattr(sldd.head, name)).abs().max() > 1e-3


def test_the_ternary_head_by_hand() -> None:
    weight = torch.tensor([[0.9, -0.5, 0.1], [0.7, 0.6, 0.0], [-0.8, -0.2, 0.3]])
    found = ternary(weight, torch.tensor([0.5, -2.0, 1.0]), 5)
    a = (0.9 + 0.8 + 0.7 + 0.6 + 0.5) / 5
    torch.testing.assert_close(found.weight, a * torch.tensor([[1.0, -1.0, 0], [1.0, 1.0, 0], [-1.0, 0, 0]]))
    # surplus of positive weights 0, 2, -1: above the least 1, 3, 0; from +2 down to -2
    torch.testing.assert_close(found.bias, torch.tensor([2 - 4 / 3, -2.0, 2.0]))
    assert ternary(weight, torch.zeros(3), 9).weight.count_nonzero() == 8, "a weight that is 0 stays 0"
    assert ternary(torch.eye(3), torch.ones(3), 3).bias.tolist() == [1, 1, 1], "no class has a surplus"
    with pytest.raises(UsageError, match=r"no weight .* is above the threshold"):
        ternary(torch.ones(2, 2), torch.zeros(2), 2)


def test_exactly_so_many_weights_are_kept() -> None:
    weight = torch.tensor([[0.5, -0.5], [0.5, 0.9]])
    torch.testing.assert_close(largest(weight, 2), torch.tensor([[0.5, 0.0], [0.0, 0.9]]))
    torch.testing.assert_close(largest(weight, 9), weight)


def test_they_survive_the_disk(sldd: SparseModel, qsenn: SparseModel, train: Samples, tmp_path: Path) -> None:
    for name, model in {"sldd": sldd, "qsenn": qsenn}.items():
        model.save(tmp_path / name)
        loaded = SparseModel.load(tmp_path / name)
        assert torch.equal(loaded.logits(train.patches, train.cls), model.logits(train.patches, train.cls))
        assert (loaded.info, loaded.curves) == (model.info, model.curves)


def test_a_head_that_training_cannot_make_is_refused(sldd: SparseModel, tmp_path: Path) -> None:
    file, folder = tmp_path / "sldd" / "model.json", tmp_path / "sldd"
    state = {name: values.clone() for name, values in sldd.state_dict().items()}
    for name, values, words in [
        ("head.features", state["head.features"].flip(0), "not ascending"),
        ("head.weight", torch.zeros_like(state["head.weight"]), "are 0"),
        ("head.std", torch.full_like(state["head.std"], torch.nan), "not finite"),
    ]:
        odd = SparseModel(sldd.adapter, sldd.n_classes, sldd.grid)
        odd.load_state_dict(state | {name: values})
        odd.save(folder)
        with pytest.raises(MalformedError, match=words):
            SparseModel.load(folder)
    sldd.save(folder)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"path": [1]}))
    with pytest.raises(MalformedError, match="its path is no object"):
        SparseModel.load(folder)


def test_a_run_that_was_stopped_in_a_later_round_ends_the_same(
    dense: DenseModel, train: Samples, qsenn: SparseModel, tmp_path: Path
) -> None:
    def stop(epoch: int, epochs: int, row: dict[str, float]) -> None:
        assert (row["epoch"], epochs) == (epoch, 5)
        if epoch == 4:
            raise KeyboardInterrupt

    file = tmp_path / "qsenn.ckpt"
    with pytest.raises(KeyboardInterrupt):
        train_qsenn(dense, train, QSENN, seed=1, device="cpu", progress=stop, checkpoint=file)
    seen: list[int] = []
    resumed = train_qsenn(
        dense, train, QSENN, seed=1, device="cpu", progress=lambda epoch, *_: seen.append(epoch), checkpoint=file
    )
    assert seen == [5]
    assert (resumed.curves, resumed.info) == (qsenn.curves, qsenn.info)
    for name, values in qsenn.state_dict().items():
        assert torch.equal(values, resumed.state_dict()[name]), name


def test_what_cannot_be_is_told_before_training(dense: DenseModel, train: Samples) -> None:
    def told(config: SlddConfig, model: DenseModel = dense, samples: Samples = train) -> str:
        with pytest.raises(UsageError) as error:
            train_sldd(model, samples, config, seed=1, device="cpu", progress=lambda *_: pytest.fail("it trained"))
        assert error.value.expected
        assert error.value.todo
        return error.value.what

    assert "n_features = 17 is above the 16 candidates" in told(replace(SLDD, n_features=17))
    assert "features_per_class = 9 is above n_features = 8" in told(replace(SLDD, features_per_class=9))
    assert "no model of the path" in told(replace(SLDD, densest=0.0))
    assert "without adapter" in told(SLDD, DenseModel(AdapterConfig(n_layers=0), 6, 4, (3, 4), torch.Generator()))
    absent = "no training image of 1 of 4 classes (class 2 is the first)"
    assert absent in told(SLDD, samples=train.subset(train.labels != 2))
    with pytest.raises(UsageError, match=r"qsenn\.epochs is 5, and 1 of its 2 rounds take 5"):
        train_qsenn(dense, train, replace(QSENN, round_epochs=5), seed=1, device="cpu")


def test_copies_do_not_score_a_path_that_was_fitted_on_them(dense: DenseModel, train: Samples) -> None:
    copies = replace(train, content=torch.arange(len(train)) // 8)  # groups of two images of each class
    for seed in range(5):
        fitted = selected_model(dense, copies, replace(SLDD, held_out=0.3), seed)[1].fitted
        assert 0 < fitted.sum() < len(train)
        assert not set(copies.content[fitted].tolist()) & set(copies.content[~fitted].tolist())


def test_dead_features_are_no_candidates(dense: DenseModel, train: Samples) -> None:
    half = DenseModel(dense.adapter.config, 6, 4, (3, 4), torch.Generator())
    half.load_state_dict(dense.state_dict())
    with torch.no_grad():
        half.adapter.layers[-1].norm.weight[:9] = 0
        half.adapter.layers[-1].norm.bias[:9] = 1
    with pytest.raises(InfeasibleError, match="above the 7 candidates"):
        train_sldd(half, train, SLDD, seed=1, device="cpu")
    model = train_sldd(half, train, replace(SLDD, n_features=6, epochs=1), seed=1, device="cpu")
    assert model.info["n_dead"] == 9
    assert model.features.min() >= 9


def test_explanations_of_binary_tables_refuse_signed_weights(sldd: SparseModel) -> None:
    for ask in (
        lambda: explain(sldd, make_samples(4), 0),
        lambda: compare_classes(sldd, 0, 1),
        lambda: nearest_classes(sldd, 0),
    ):
        with pytest.raises(UsageError, match="a model of kind sparse"):
            ask()


@pytest.mark.slow
def test_whatever_is_wrong_with_its_folder_is_told_in_three_parts(sldd: SparseModel, tmp_path: Path) -> None:
    sldd.save(tmp_path / "sldd")
    faults, refused, tried = [], 0, list(mutations(tmp_path / "sldd"))[::8]
    for mutation in tried:
        folder = changed(tmp_path / "sldd", mutation, tmp_path / "work")
        found = attempt(lambda folder=folder: SparseModel.load(folder))
        told = isinstance(found, TunerError) and str(folder) in found.what and all(found.args)
        refused += told
        if not (told or isinstance(found, SparseModel)):
            faults.append(f"{mutation.label}: {found!r}"[:300])
    assert not faults, "\n".join(faults)
    assert refused > 0.5 * len(tried)
