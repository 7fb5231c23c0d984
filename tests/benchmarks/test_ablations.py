"""The ablations on a made bank: each choice changes the outcome, a second call carries on, mirrors mirror."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from benchmarks import ablations
from benchmarks.ablation_banks import Mirrored
from benchmarks.ablation_run import Settings, run, sides
from benchmarks.ablation_table import difference, tables
from tuner.features.bank import FeatureBank

TINY = Settings(
    seed=0,
    width=16,
    hidden=12,
    n_layers=2,
    dense_epochs=4,
    finetune_epochs=2,
    n_features=5,
    features_per_class=2,
)


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """Sixty images of four classes on a 3 x 4 grid, each class with a token of its own."""
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 4
    patches = 0.5 * rng.normal(size=(60, 12, 6))
    patches[np.arange(60), rng.integers(0, 12, 60)] += 3 * rng.normal(size=(4, 6))[labels]
    return FeatureBank(
        patches=patches.astype(np.float16),
        cls=None,
        labels=labels,
        is_train=np.arange(60) % 3 != 0,
        masks=rng.integers(0, 2, (60, 3, 4)).astype(np.uint8) * 255,
        has_mask=np.ones(60, dtype=np.bool_),
        grid=(3, 4),
        class_names=("a", "b", "c", "d"),
        paths=tuple(f"{i:02d}.png" for i in range(60)),
        class_attributes=rng.random((4, 9)).astype(np.float32),
        image_attributes=None,
        key="made",
        folder=tmp_path_factory.mktemp("bank"),
    )


@pytest.fixture(scope="module")
def images(bank):
    return bank.samples(np.arange(60))


def test_cuts_part_train_and_keep_test_away(bank, images):
    parts = sides(replace(TINY, held_out=0.25), bank, images)
    assert len(parts.rest) + len(parts.held_out) == len(parts.train)
    assert len(parts.train) + len(parts.validation) == bank.is_train.sum()
    assert len(parts.test) == (~bank.is_train).sum()
    assert set(parts.held_out.labels.tolist()) == {0, 1, 2, 3}
    mirrored = sides(TINY, bank, images, images)
    assert len(mirrored.train) == 2 * len(mirrored.plain_train)


@pytest.mark.slow
def test_each_choice_alone_changes_the_outcome(bank, images, tmp_path):
    changes = [
        {},
        {"held_out": 0.25, "table": "held_out"},
        {"held_out": 0.25, "table": "held_out", "statistics": "all"},
        {"held_out": 0.25, "table": "rest"},
        {"early": 1, "table": "early", "statistics": "all"},
        {"table": "cross", "warm_up": 1},
        {"control": "random"},
        {"l1_ramp": True},
    ]
    seen = []
    for change in changes:
        settings = replace(TINY, **change)
        measured = run(settings, sides(settings, bank, images), tmp_path)
        assert {"accuracy", "structural_grounding", "class_independence"} <= measured["test"].keys()
        measured.pop("seconds")
        seen.append(json.dumps(measured, sort_keys=True))
    assert len(set(seen)) == len(changes)


def test_a_table_that_no_image_can_give_is_refused(bank, images, tmp_path):
    settings = replace(TINY, table="rest")
    with pytest.raises(ValueError, match="held-out share of 0"):
        run(settings, sides(settings, bank, images), tmp_path)


@pytest.mark.slow
def test_a_second_call_carries_on(bank, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ablations, "bank", lambda *_: bank)
    monkeypatch.setattr(ablations, "Settings", lambda *a, **k: replace(TINY, **k))
    results = tmp_path / "results.jsonl"
    call = ["--results", str(results), "--root", "-", "--only", ablations.BASE, "random assignment", "--seeds", "2"]
    ablations.main(call)
    first = results.read_text()
    ablations.main(call)
    assert results.read_text() == first
    assert len(first.splitlines()) == 4
    assert "| random assignment | 2 |" in capsys.readouterr().out.rpartition("paired difference")[2]


def test_beyond_noise_by_paired_seeds():
    def rows(*accuracies):
        return {seed: {"accuracy": value} for seed, value in enumerate(accuracies)}

    base = rows(70, 60, 80)
    assert difference(rows(72, 62.1, 81.9), base, "accuracy").endswith("**")  # the seeds' own spread does not count
    assert difference(rows(75, 61, 84), base, "accuracy") == "+3.3 ± 1.2*"  # 2.7 errors; t asks for 4.3
    assert difference(rows(72, 59, 80), base, "accuracy") == "+0.3 ± 0.9"
    assert "| none |" not in tables({"baseline": base, "none": {}}, "baseline")
    assert difference({0: {}}, base, "sid5") == "-"


def test_mirrored_pictures():
    class Corner:
        def image(self, i):
            return Image.fromarray(np.array([[[9, 0, 0], [0, 0, 0]]], dtype=np.uint8))

        def mask(self, i):
            return None if i else Image.fromarray(np.array([[255, 0]], dtype=np.uint8))

        def digests(self):
            return [["x", "y"]]

    mirrored = Mirrored(Corner())
    assert np.asarray(mirrored.image(0))[0, 1].tolist() == [9, 0, 0]
    assert np.asarray(mirrored.mask(0)).tolist() == [[0, 255]]
    assert mirrored.mask(1) is None
    assert mirrored.digests() != Corner().digests()
