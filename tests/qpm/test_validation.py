"""Curves on held-out images: they are the averaged model's, and change no bit of the training that they watch."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.qpm.conftest import make_samples
from tests.qpm.test_training import Interrupted, interrupt_after
from tuner.features.samples import Samples
from tuner.qpm.assignment import Assignment
from tuner.qpm.batch_norm import reestimate_batch_norm
from tuner.qpm.classifier import Classifier
from tuner.qpm.curves import of_training, read_curves
from tuner.qpm.dense import DenseModel, train_dense
from tuner.qpm.finetuning import finetune
from tuner.qpm.losses import loss_terms
from tuner.qpm.settings import AdapterConfig, DenseConfig, FinetuneConfig
from tuner.qpm.storage import write_curves
from tuner.qpm.training import one_epoch, optimizer_of, shuffled
from tuner.qpm.validation import Validation, averaged, evenly, is_due

CONFIG = DenseConfig(epochs=5, batch_size=10, precision="float32")
NOISY = AdapterConfig(width=16, hidden=12, n_layers=2, dropout=0.1)
ROUNDS = FinetuneConfig(
    epochs=5, rounds=2, round_epochs=2, batch_size=10, grounding=0.1, dropout=0.1, precision="float32"
)


def same_bits(watched: Classifier, plain: Classifier) -> None:
    """Weights, statistics, curves of training and mode; and that it was measured."""
    for (name, value), other in zip(watched.state_dict().items(), plain.state_dict().values(), strict=True):
        assert torch.equal(value, other), name
    assert of_training(watched.curves) == plain.curves
    assert [row["epoch"] for row in watched.curves if "val_loss" in row] == [1, 2, 3, 5]
    assert not any(module.training for module in watched.modules())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("reestimate", [True, False])
def test_measuring_changes_no_bit_of_the_dense_stage(
    train: Samples, held_out: Samples, precision: str, reestimate: bool
) -> None:
    config = replace(CONFIG, precision=precision, reestimate_batch_norm=reestimate)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    watched = train_dense(train, NOISY, config, seed=1, device="cpu", validation=held_out)
    assert torch.equal(before[0], torch.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    same_bits(watched, train_dense(train, NOISY, config, seed=1, device="cpu"))


def test_measuring_changes_no_bit_of_fine_tuning_in_rounds(
    dense: DenseModel, assignment: Assignment, train: Samples, held_out: Samples
) -> None:
    watched = finetune(dense, assignment, train, ROUNDS, seed=1, device="cpu", validation=held_out)
    same_bits(watched, finetune(dense, assignment, train, ROUNDS, seed=1, device="cpu"))
    assert watched.curves[-1]["grounding"] == 0.0  # a term that the last round is without
    assert all("val_loss" not in row or row["val_n_images"] == 12 for row in watched.curves)


def test_a_resumed_training_has_the_same_curves(train: Samples, held_out: Samples, tmp_path: Path) -> None:
    whole = train_dense(train, NOISY, CONFIG, seed=1, device="cpu", validation=held_out)
    kept = {"seed": 1, "device": "cpu", "checkpoint": tmp_path / "dense", "validation": held_out}
    with pytest.raises(Interrupted):
        train_dense(train, NOISY, CONFIG, progress=interrupt_after(2), **kept)
    assert train_dense(train, NOISY, CONFIG, **kept).curves == whole.curves


@pytest.mark.parametrize("until", [2, 3, 4])
def test_fine_tuning_that_breaks_off_has_the_curves_of_the_whole_one(
    dense: DenseModel, assignment: Assignment, train: Samples, held_out: Samples, tmp_path: Path, until: int
) -> None:
    """The rung of early stopping: no measurement more or less because training stopped there."""
    kept = {"seed": 1, "device": "cpu", "validation": held_out}
    whole = finetune(dense, assignment, train, ROUNDS, **kept)
    file = tmp_path / "finetune"
    part = finetune(dense, assignment, train, ROUNDS, checkpoint=file, until=until, **kept)
    assert part.curves == whole.curves[:until]
    assert finetune(dense, assignment, train, ROUNDS, checkpoint=file, **kept).curves == whole.curves


def test_streamed_images_give_the_same_curves(train: Samples, held_out: Samples) -> None:
    config = replace(CONFIG, epochs=2)
    resident = train_dense(train, NOISY, config, seed=1, device="cpu", validation=held_out)
    streamed = replace(held_out, streamed=True)
    model = train_dense(replace(train, streamed=True), NOISY, config, seed=1, device="cpu", validation=streamed)
    assert model.curves == resident.curves


def test_the_averaged_copy_is_the_optimisers_average(train: Samples) -> None:
    model = DenseModel(NOISY, train.dim, train.n_classes, train.grid, torch.Generator().manual_seed(0))
    optimizer = optimizer_of(model, CONFIG)
    optimizer.state.clear()
    untrained = averaged(model, optimizer)
    assert all(torch.equal(a, b) for a, b in zip(untrained.parameters(), model.parameters(), strict=True))
    assert not optimizer.state  # not even an empty entry for a weight
    order, noise = torch.Generator().manual_seed(1), torch.Generator().manual_seed(2)
    one_epoch(model, optimizer, train, torch.arange(len(train)), CONFIG, order, noise)
    copied = averaged(model, optimizer)
    optimizer.eval()
    for (name, weight), other in zip(copied.named_parameters(), model.parameters(), strict=True):
        assert torch.equal(weight, other), name


def test_values_are_those_of_the_averaged_model_worked_out_by_hand(train: Samples) -> None:
    """One epoch, so that the model which training ends with is the one that was measured; every image counts."""
    held_out = make_samples(12, seed=1)
    config = replace(CONFIG, epochs=1, l1=0.5)
    model = train_dense(train, NOISY, config, seed=1, device="cpu", validation=held_out)
    some = shuffled(train, len(train), torch.Generator().manual_seed(0))
    reestimate_batch_norm(model, some)  # from 48 images, all that there are
    with torch.no_grad():
        activations = model.eval()(held_out.patches, held_out.cls)
        terms = loss_terms(activations, held_out.labels, model.weight, config)
    (row,) = model.curves
    assert math.isclose(row["val_loss"], sum(float(term) for term in terms.values()), rel_tol=1e-4)
    assert math.isclose(row["val_cross_entropy"], float(terms["cross_entropy"]), rel_tol=1e-4)
    correct = (activations.logits.argmax(1) == held_out.labels).float().mean()
    assert math.isclose(row["val_accuracy"], 100 * float(correct), rel_tol=1e-6)
    assert row["val_n_images"] == 12


def test_measurements_grow_rarer_and_the_last_epoch_has_one() -> None:
    assert [epoch for epoch in range(1, 26) if is_due(epoch, 25)] == [1, 2, 3, 5, 8, 13, 21, 25]
    assert [epoch for epoch in range(1, 11) if is_due(epoch, 10)] == [1, 2, 3, 5, 8, 10]
    assert is_due(1, 1)


def test_many_held_out_images_are_thinned_out_evenly() -> None:
    assert evenly(10, 20).tolist() == list(range(10))
    assert evenly(10, 4).tolist() == [0, 2, 5, 7]
    assert evenly(1, 1).tolist() == [0]


def test_a_loss_that_is_no_number_leaves_no_value(train: Samples, held_out: Samples) -> None:
    broken = replace(held_out, patches=torch.full_like(held_out.patches, torch.nan))
    model = train_dense(train, NOISY, replace(CONFIG, epochs=2), seed=1, device="cpu", validation=broken)
    assert not any("val_loss" in row for row in model.curves)


def test_curves_are_kept_without_the_values_that_were_not_measured(tmp_path: Path, train: Samples) -> None:
    model = train_dense(train, NOISY, replace(CONFIG, epochs=4), seed=1, device="cpu", validation=train)
    write_curves(tmp_path, model.curves)
    assert read_curves(tmp_path) == model.curves
    model.save(tmp_path / "model")
    assert read_curves(tmp_path / "model") == of_training(model.curves)


def test_a_training_that_is_not_measured_copies_nothing(train: Samples) -> None:
    validation = Validation(train, epochs=20)
    assert validation.measure(4, None, None, train, torch.arange(48), CONFIG) == {}  # type: ignore[arg-type]
