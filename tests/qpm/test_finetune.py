"""Fine-tuning: the cut adapter learns what the whole one would, the head stays, models survive the disk."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tuner.errors import TunerError
from tuner.features.samples import Samples
from tuner.qpm.assignment import Assignment
from tuner.qpm.classifier import Activations
from tuner.qpm.dense import DenseModel
from tuner.qpm.finetuning import QpmModel, assigned_model, finetune
from tuner.qpm.probe import LinearProbe, train_linear_probe
from tuner.qpm.settings import FinetuneConfig
from tuner.qpm.training import fit

CONFIG = FinetuneConfig(epochs=4, batch_size=10, precision="float32")


class Whole(QpmModel):
    """The model without the cut: all outputs of the adapter are computed, then the selected ones taken."""

    def forward(self, patches: Tensor, cls: Tensor | None = None, noise: torch.Generator | None = None) -> Activations:
        maps, pooled = self.adapter(patches, cls, noise)
        maps, pooled = maps[:, :, self.features], pooled[:, self.features]
        return Activations(maps, pooled, self.head(pooled))


@pytest.fixture(scope="module")
def tuned(dense: DenseModel, assignment: Assignment, train: Samples) -> QpmModel:
    return finetune(dense, assignment, train, CONFIG, seed=1, device="cpu")


def test_training_the_cut_adapter_equals_training_the_whole(
    dense: DenseModel, assignment: Assignment, train: Samples
) -> None:
    """In float64, where only the order of a product's sums differs (docs/explanation/method.md#cut).

    Biases before batch norm have no true gradient; AdamW blows up what rounding leaves of it, hence 1e-8.
    """
    cut = assigned_model(dense, assignment).double()
    whole = Whole(DenseModel(dense.adapter.config, dense.adapter.dim, 4, dense.grid).adapter, 4, dense.grid)
    whole.adapter.load_state_dict(dense.adapter.state_dict())
    whole.head = cut.head
    whole.double()
    fit(cut, train, CONFIG, stage="finetune", seed=1)
    fit(whole, train, CONFIG, stage="finetune", seed=1)
    features = cut.features
    last = f"layers.{len(cut.adapter.layers) - 1}."
    for name, value in cut.adapter.state_dict().items():
        other = whole.adapter.state_dict()[name]
        kept = other[features] if name.startswith(last) and other.ndim else other
        torch.testing.assert_close(value, kept, rtol=1e-7, atol=1e-8, msg=name)
    moved = whole.adapter.state_dict()[f"{last}linear.weight"] - dense.adapter.layers[-1].linear.weight
    assert moved[features].abs().max() > 1e-3


def test_the_head_is_frozen(tuned: QpmModel, assignment: Assignment) -> None:
    for name, expected in (
        ("features", assignment.features),
        ("assignment", assignment.matrix),
        ("mean", assignment.mean),
        ("std", assignment.std),
    ):
        np.testing.assert_array_equal(getattr(tuned, name).numpy(), expected.astype(getattr(tuned, name).numpy().dtype))
    assert set(tuned.curves[0]) == {"epoch", "loss", "cross_entropy", "diversity", "l1", "accuracy"}


def test_tuning_helps_and_leaves_the_dense_model_alone(
    tuned: QpmModel, dense: DenseModel, assignment: Assignment, train: Samples
) -> None:
    start = assigned_model(dense, assignment)
    correct = [(m.predict(train.patches, train.cls) == train.labels).float().mean() for m in (start, tuned)]
    assert correct[1] >= correct[0]
    assert tuned.curves[-1]["loss"] < tuned.curves[0]["loss"]
    again = assigned_model(dense, assignment)
    assert torch.equal(start.logits(train.patches, train.cls), again.logits(train.patches, train.cls))


def test_assigned_model_reads_the_dense_features(dense: DenseModel, assignment: Assignment, train: Samples) -> None:
    model = assigned_model(dense, assignment)
    columns = torch.as_tensor(assignment.features)
    whole = dense.feature_maps(train.patches, train.cls)[:, columns]
    torch.testing.assert_close(model.feature_maps(train.patches, train.cls), whole)
    z = (whole.mean(2) - model.mean) / model.std
    expected = torch.stack([z[:, torch.as_tensor(row)].sum(1) for row in assignment.matrix], 1)
    torch.testing.assert_close(model.logits(train.patches, train.cls), expected, rtol=1e-4, atol=1e-4)


def test_models_survive_the_disk(tuned: QpmModel, dense: DenseModel, train: Samples, tmp_path: Path) -> None:
    probe = train_linear_probe(train, seed=0, device="cpu")
    for model in (tuned, dense, probe):
        folder = tmp_path / model.kind
        model.save(folder)
        loaded = type(model).load(folder)
        assert sorted(path.name for path in folder.iterdir()) == [
            "curves.parquet",
            "model.json",
            "model.safetensors",
        ]
        assert torch.equal(loaded.logits(train.patches, train.cls), model.logits(train.patches, train.cls))
        assert loaded.curves == model.curves
        assert asdict(loaded.adapter.config) == asdict(model.adapter.config)
        assert not loaded.training


def test_a_wrong_or_missing_folder_is_named(dense: DenseModel, tmp_path: Path) -> None:
    dense.save(tmp_path / "dense")
    with pytest.raises(TunerError, match="kind dense"):
        QpmModel.load(tmp_path / "dense")
    with pytest.raises(TunerError, match="kind dense"):
        LinearProbe.load(tmp_path / "dense")
    (tmp_path / "dense" / "model.json").unlink()
    with pytest.raises(TunerError, match=r"model\.json cannot be used: it is missing"):
        DenseModel.load(tmp_path / "dense")
