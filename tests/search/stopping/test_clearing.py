"""Checkpoints in a store: those that no trial can go on from are removed, in a folder and on S3, and no others."""

import dataclasses

import pytest

from tests.ledgers import SPACE, finished, trial_events
from tuner.errors import TunerError
from tuner.recipe import load_recipe
from tuner.search.driver import checkpoints, run
from tuner.search.driver.checkpoints import clear_checkpoints
from tuner.search.execute.plan import StageSpec
from tuner.search.execute.rung_checkpoint import CHECKPOINTS, fetch_checkpoint, publish_checkpoint
from tuner.search.execute.rung_plan import plan_stoppable
from tuner.search.record.home import SearchHome
from tuner.search.session.precision import settle_precision
from tuner.store import Artifacts, Claims, open_store

OVERRIDES = [SPACE, "stopping.rung=0.3", "stopping.startup_trials=1"]
RUNG = {"accuracy": 61.25, "interpretability": 55.5, "n_images": 288.0}
PRUNED = {"outcome": "pruned", "stage": "finetune", "cause": "dominated", "model": None, "rung": RUNG}
PRUNED |= {"rung_epochs": [3, 10]}
FAILED = {"outcome": "failed", "stage": "finetune", "cause": "diverged", "model": None, "rung": RUNG}
FAILED |= {"rung_epochs": [3, 10]}


@pytest.fixture(params=["folder", pytest.param("s3", marks=[pytest.mark.cluster, pytest.mark.slow])])
def store(request, tmp_path):
    return open_store(request.getfixturevalue("s3_url") if request.param == "s3" else str(tmp_path / "store"))


@pytest.fixture
def made(store, tmp_path):
    return Made(store, tmp_path)


class Made:
    """A store with a search, and checkpoints that are made up."""

    def __init__(self, store, folder):
        self.store, self.folder, self.artifacts = store, folder, Artifacts(store)
        self.home = self.search("made-up", finished())

    def search(self, name, events):
        found = SearchHome(self.store, name)
        found.start(settle_precision(load_recipe("digits", OVERRIDES)), "bank")
        for event in events:
            found.ledger.append(event)
        return found

    def add(self, events):
        for event in events:
            self.home.ledger.append(event)

    def checkpoint(self, key, tuned="nothing", *, complete=False):
        """The checkpoint of a rung, and perhaps the fine-tuning that went on from it."""
        made = self.folder / key
        made.mkdir()
        (made / "cpu-1.ckpt").write_text(key)
        spec = dataclasses.replace(StageSpec("rung", {}, {}, 0, partner=tuned), named=key)
        publish_checkpoint(self.artifacts, spec, made)
        if complete:
            self.artifacts.publish("stages/finetune", tuned, made, {})

    def clear(self):
        """What is removed; what is left is whole."""
        recipe, bank = self.home.stored()
        removed = clear_checkpoints(self.home, recipe, bank, self.home.state())
        assert not set(removed) & set(self.left())
        assert all(self.artifacts.fetch(CHECKPOINTS, key) for key in self.left())
        return removed

    def left(self):
        return sorted({name.split("/")[1] for name in self.store.list(f"{CHECKPOINTS}/")})


def ended(number, key, outcome):
    """A trial with a rung."""
    events = trial_events(number, {}, **outcome)
    use = {"stage": "rung", "key": key, "reused": False, "seconds": 1.0, "saved_s": 0.0}
    events[1]["stages"] = [*events[1]["stages"][:2], use]
    return events


def test_a_store_without_checkpoints_is_asked_once(made, monkeypatch):
    monkeypatch.setattr(checkpoints, "searches", None)
    assert made.clear() == []


def test_those_whose_fine_tuning_is_complete_go_and_those_of_pruned_and_open_trials_stay(made):
    made.add(ended(3, "of-the-pruned", PRUNED))
    made.add([trial_events(4, {})[0] | {"known": 3}])
    recipe, bank = made.home.stored()
    state = made.home.state()
    *_, rung, tuned, _ = plan_stoppable(recipe, bank, state, state.trials[4])[0]
    assert rung.stage == "rung"
    made.checkpoint(rung.key, tuned.key)
    made.checkpoint("of-the-pruned", "never-run")
    made.checkpoint("left-by-a-kill", "tuned", complete=True)
    made.checkpoint("of-another-driver", "running")
    assert made.clear() == ["left-by-a-kill"]
    assert made.left() == sorted(["of-another-driver", "of-the-pruned", rung.key])


def test_that_of_a_trial_that_has_failed_goes_unless_somebody_may_use_it(made, monkeypatch):
    made.add(ended(3, "of-the-failed", FAILED))
    made.checkpoint("of-the-failed", "tuned")
    other = Claims(made.store, "another driver")
    try:
        assert other.take([("stages/finetune", "tuned")]) == (1, None)
        assert made.clear() == []
    finally:
        other.close()
    second = made.search("second", [*finished(), *ended(3, "of-the-failed", PRUNED)])
    assert made.clear() == []
    second.ledger.append({"event": "reopened", "trials": [3], "time_s": 300.0})
    for event in ended(3, "of-the-failed", FAILED)[1:]:
        second.ledger.append(event | {"time_s": 301.0})
    assert made.clear() == ["of-the-failed"]
    assert made.clear() == []


def test_a_search_of_another_version_clears_nothing(made, monkeypatch):
    made.checkpoint("left-by-a-kill", "tuned", complete=True)
    monkeypatch.setattr(SearchHome, "is_of_this_code", lambda _: False)
    assert made.clear() == []


def test_one_that_no_search_knows_goes_after_a_month(made, monkeypatch):
    made.checkpoint("forgotten")
    made.search("second", [*finished(), *ended(3, "wanted", PRUNED)])
    made.checkpoint("wanted")
    assert made.clear() == []
    monkeypatch.setattr(checkpoints, "FORGOTTEN_S", -60.0)
    made.store.put("searches/third/recipe.yaml", b"of another version")
    assert made.clear() == []  # it cannot be read, and may need any
    made.store.delete("searches/third/recipe.yaml")
    assert made.clear() == ["forgotten"]


def test_what_is_damaged_or_was_never_whole_goes(made, monkeypatch):
    made.checkpoint("damaged")
    made.store.put(f"{CHECKPOINTS}/damaged/manifest.json", b"half a mani")
    made.checkpoint("later")
    made.store.put(f"{CHECKPOINTS}/later/manifest.json", b'{"format": 99}')
    made.store.put(f"{CHECKPOINTS}/cut-off/0123/cpu-1.ckpt", b"half")
    recipe, bank = made.home.stored()
    assert clear_checkpoints(made.home, recipe, bank, made.home.state()) == ["damaged"]
    assert made.left() == ["cut-off", "later"]  # perhaps it is still being uploaded
    monkeypatch.setattr(checkpoints, "UPLOADED_S", -60.0)
    assert clear_checkpoints(made.home, recipe, bank, made.home.state()) == ["cut-off"]
    assert made.left() == ["later"]  # of another version, which may need it


def test_a_checkpoint_that_goes_while_it_is_read_costs_epochs_only(tmp_path, monkeypatch):
    made = Made(open_store(str(tmp_path / "store")), tmp_path)
    made.checkpoint("rung", "tuned")
    tuned = StageSpec("finetune", {}, {}, 0, partner="rung")
    fetch = Artifacts.fetch

    def slowly(artifacts, kind, key):
        folder = fetch(artifacts, kind, key)
        artifacts.remove(kind, key)
        return folder

    monkeypatch.setattr(Artifacts, "fetch", slowly)
    (scratch := tmp_path / "scratch").mkdir()
    assert not fetch_checkpoint(made.artifacts, tuned, scratch)
    assert list(scratch.iterdir()) == []


def test_a_store_that_refuses_does_not_end_the_search(monkeypatch):
    told = []

    class Driver:
        home = recipe = bank = state = None

        class progress:
            warn = told.append

    def refused(*_):
        raise TunerError("deleting is refused", "a permission", "grant it")

    monkeypatch.setattr(run, "clear_checkpoints", refused)
    run._clear_checkpoints(Driver)
    assert told == ["checkpoints that nobody needs are still in the store: deleting is refused"]
