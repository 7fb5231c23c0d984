"""CHiQPM: forced pairs, ReLU after the z-score, the grounding loss, rounds; all of it kept with the model."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tuner.base.untrusted import MalformedError
from tuner.errors import UsageError
from tuner.features.samples import Samples
from tuner.qpm import (
    AssignConfig,
    DenseModel,
    FinetuneConfig,
    QpmModel,
    assign,
    assigned_model,
    dense_features,
    explain,
    finetune,
)
from tuner.qpm.assignment import Assignment
from tuner.recipe import parse_recipe

CHIQPM = FinetuneConfig(
    epochs=5, rounds=3, round_epochs=1, grounding=3.0, rectified=True, l1=0.0, batch_size=10, precision="float32"
)


@pytest.fixture(scope="module")
def forced(dense: DenseModel, train: Samples) -> Assignment:
    config = AssignConfig(n_features=8, features_per_class=3, forced_pairs=2)
    return assign(dense_features(dense, train, device="cpu"), config, seed=1)


@pytest.fixture(scope="module")
def tuned(dense: DenseModel, forced: Assignment, train: Samples) -> QpmModel:
    return finetune(dense, forced, train, CHIQPM, seed=1, device="cpu")


def test_a_feature_below_its_mean_adds_nothing(tuned: QpmModel, held_out: Samples) -> None:
    _, pooled, logits = tuned(held_out.patches, held_out.cls)
    z = ((pooled - tuned.mean) / tuned.std).relu()
    torch.testing.assert_close(logits, torch.stack([z[:, row].sum(1) for row in tuned.assignment], 1))
    assert (z == 0).any()
    found = explain(tuned, held_out, 3)
    for c, evidence in found.evidence.items():
        assert min(one.contribution for one in evidence) >= 0
        assert sum(one.contribution for one in evidence) == pytest.approx(float(found.logits[c]), abs=1e-4)


def test_it_learns_in_rounds_and_the_last_is_without_the_grounding_loss(
    tuned: QpmModel, dense: DenseModel, forced: Assignment, train: Samples
) -> None:
    assert [row["epoch"] for row in tuned.curves] == [1, 2, 3, 4, 5]
    assert [row["grounding"] != 0 for row in tuned.curves] == [True, True, False, False, False]
    right = (tuned.predict(train.patches, train.cls) == train.labels).float().mean()
    assert right > 0.75  # of four classes
    other = assigned_model(dense, forced)
    assert not torch.equal(other.logits(train.patches, train.cls), tuned.logits(train.patches, train.cls))
    assert torch.equal(tuned.assignment, other.assignment)


def test_a_round_starts_where_the_one_before_it_ended(
    dense: DenseModel, forced: Assignment, train: Samples, tuned: QpmModel
) -> None:
    """Two rounds of a run of two are those of a run of three; so is the first, which alone is plain fine-tuning."""
    one = finetune(dense, forced, train, replace(CHIQPM, epochs=1, rounds=1), seed=1, device="cpu")
    assert one.curves == tuned.curves[:1]
    several = finetune(dense, forced, train, replace(CHIQPM, epochs=3), seed=1, device="cpu")
    assert several.curves == tuned.curves[:3]
    constant = finetune(dense, forced, train, replace(CHIQPM, epochs=3, round_decay=1.0), seed=1, device="cpu")
    assert constant.curves[0] == several.curves[0]
    assert constant.curves[1] != several.curves[1]


def test_a_run_stopped_in_a_later_round_ends_the_same(
    dense: DenseModel, forced: Assignment, train: Samples, tuned: QpmModel, tmp_path: Path
) -> None:
    def stop(epoch: int, epochs: int, row: dict[str, float]) -> None:
        assert epochs == 5
        if epoch == 4:
            raise KeyboardInterrupt

    file = tmp_path / "finetune.ckpt"
    with pytest.raises(KeyboardInterrupt):
        finetune(dense, forced, train, CHIQPM, seed=1, device="cpu", progress=stop, checkpoint=file)
    resumed = finetune(dense, forced, train, CHIQPM, seed=1, device="cpu", checkpoint=file)
    assert resumed.curves == tuned.curves
    for name, values in tuned.state_dict().items():
        assert torch.equal(values, resumed.state_dict()[name]), name


def test_the_rectified_head_survives_the_disk(tuned: QpmModel, train: Samples, tmp_path: Path) -> None:
    tuned.save(tmp_path)
    loaded = QpmModel.load(tmp_path)
    assert loaded.head.rectified
    assert torch.equal(loaded.logits(train.patches, train.cls), tuned.logits(train.patches, train.cls))
    file = tmp_path / "model.json"
    about = json.loads(file.read_text())
    file.write_text(json.dumps(about | {"rectified": "yes"}))
    with pytest.raises(MalformedError, match="rectified is yes"):
        QpmModel.load(tmp_path)
    del about["rectified"]  # as models of earlier versions are
    file.write_text(json.dumps(about))
    assert not QpmModel.load(tmp_path).head.rectified


def test_rounds_that_leave_nothing_to_the_last_are_refused_in_a_recipe_and_before_training(
    dense: DenseModel, forced: Assignment, train: Samples
) -> None:
    words = r"finetune\.epochs is 20, and 2 of its 3 rounds take 20"
    with pytest.raises(UsageError, match=words):
        parse_recipe("", ["finetune.rounds=3", "finetune.epochs=20"])
    with pytest.raises(UsageError, match=words):
        parse_recipe("", ["finetune.rounds=3", "space.finetune.epochs={choices: [70, 20]}"])
    with pytest.raises(UsageError, match=words):
        finetune(dense, forced, train, FinetuneConfig(rounds=3, epochs=20), seed=1, device="cpu")
    assert parse_recipe("", ["finetune.rounds=4", "finetune.epochs=70"]).finetune.round_epochs == 10


@pytest.mark.parametrize("name", ["assign.forced_pairs", "finetune.rounds"])
def test_an_empty_list_of_choices_is_told(name: str) -> None:
    with pytest.raises(UsageError, match="choices"):
        parse_recipe("", [f"space.{name}={{choices: []}}"])
