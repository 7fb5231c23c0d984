"""The checkpoint of a rung spares epochs where it can be used, and is no input: without it nothing fails."""

import dataclasses

import pytest

from tests.searches import tiny_recipe
from tuner.search.execute.plan import plan_trial
from tuner.search.execute.rung_checkpoint import CHECKPOINTS, fetch_checkpoint, publish_checkpoint, remove_checkpoint
from tuner.search.execute.rung_plan import with_rung
from tuner.store import Artifacts, open_store

PARAMS = {"n_features": 9, "features_per_class": 3, "width": 24}
PLAIN = plan_trial(tiny_recipe("dense.precision=float32", "finetune.precision=float32"), "bank", PARAMS)
RUNG, TUNED = with_rung(PLAIN, 1)[2:4]


@pytest.fixture
def artifacts(tmp_path):
    """A store with the checkpoint of two rounds; what an interrupted write left beside it was not published."""
    made, folder = Artifacts(open_store(str(tmp_path / "store"))), tmp_path / "trained"
    folder.mkdir()
    for name in ("cpu-1.ckpt", "cpu-1.ckpt.2", "cpu-1.ckpt.123.tmp"):
        (folder / name).write_text(name)
    publish_checkpoint(made, RUNG, folder)
    return made


@pytest.fixture
def scratch(tmp_path):
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_fine_tuning_finds_the_checkpoint_of_its_rung(artifacts, scratch):
    assert fetch_checkpoint(artifacts, TUNED, scratch)
    assert names(scratch) == ["cpu-1.ckpt", "cpu-1.ckpt.2"]
    assert (scratch / "cpu-1.ckpt.2").read_text() == "cpu-1.ckpt.2"


def test_epochs_trained_here_are_further_on_and_kept(artifacts, scratch):
    (scratch / "cpu-1.ckpt").write_text("later")
    assert not fetch_checkpoint(artifacts, TUNED, scratch)
    assert (scratch / "cpu-1.ckpt").read_text() == "later"


@pytest.mark.parametrize(
    "spec", [PLAIN[2], dataclasses.replace(TUNED, partner="0" * 32)], ids=["no rung", "it is gone"]
)
def test_without_a_checkpoint_it_starts_from_its_first_epoch(artifacts, scratch, spec):
    assert not fetch_checkpoint(artifacts, spec, scratch)
    assert names(scratch) == []


def test_a_damaged_checkpoint_is_removed(artifacts, scratch, caplog):
    folder = artifacts.fetch(CHECKPOINTS, RUNG.key)
    (folder / "cpu-1.ckpt").write_text("other text")
    assert not fetch_checkpoint(Artifacts(artifacts.store), TUNED, scratch)
    assert artifacts.find(CHECKPOINTS, RUNG.key) is None
    assert "does not match its SHA-256; fine-tuning starts from its first epoch" in caplog.text


def test_a_link_in_its_place_is_not_followed(artifacts, scratch, tmp_path):
    (tmp_path / "secret").write_text("cpu-1.ckpt")
    file = artifacts.fetch(CHECKPOINTS, RUNG.key) / "cpu-1.ckpt"
    file.unlink()
    file.symlink_to(tmp_path / "secret")
    assert not fetch_checkpoint(Artifacts(artifacts.store), TUNED, scratch)


def test_it_is_removed_once_it_has_served(artifacts):
    remove_checkpoint(artifacts, PLAIN[2])
    assert artifacts.find(CHECKPOINTS, RUNG.key) is not None
    remove_checkpoint(artifacts, TUNED)
    assert artifacts.find(CHECKPOINTS, RUNG.key) is None
