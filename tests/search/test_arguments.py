"""Slips in calls of the Python face: told in three parts, with the argument's name; habits of numpy and pandas work."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tuner
from tests.ledgers import finished, home_with, trial_events
from tuner.base.progress import Silent
from tuner.errors import TunerError, UsageError
from tuner.search.search import Search


@pytest.fixture(scope="module")
def search(tmp_path_factory: pytest.TempPathFactory) -> Search:
    failed = trial_events(3, {}, outcome="failed", stage="dense", cause="no room", model=None)
    home = home_with(tmp_path_factory.mktemp("face") / "runs", [*finished(), *failed])
    return tuner.open_search(home.store, home.name)


class Half:
    """Has one method of a Progress."""

    def say(self, line: str) -> None: ...


def start(search: Search, **arguments: Any) -> Search:
    return tuner.run_search(**{"recipe": "digits", "store": search.store, "name": "new", "trials": 0, **arguments})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: s.front("accuracy"), "objectives='accuracy'"),
        (lambda s: s.front([3]), "objectives=[3]"),
        (lambda s: s.front(3), "objectives=3"),
        (lambda s: s.pick(within="accuracy"), "within='accuracy'"),
        (lambda s: s.pick(within=1.0), "within=1.0"),
        (lambda s: s.pick(within={"accuracy": "1"}), "within has '1' for 'accuracy'"),
        (lambda s: s.pick(within={"accuracy": True}), "within has True"),
        (lambda s: s.pick(at_most={"n_features": None}), "at_most has None"),
        (lambda s: s.pick(at_most=["n_features"]), "at_most=["),
        (lambda s: s.pick(at_least={3: 3}), "a name in at_least=3"),
        (lambda s: s.choice([1]), "trial=[1]"),
        (lambda s: s.choice("1"), "trial='1'"),
        (lambda s: s.choice(True), "trial=True"),
        (lambda s: s.explain(None), "images=None"),
        (lambda s: s.explain(b"x.png"), "images=b'x.png'"),
        (lambda s: s.explain([3]), "an image=3"),
        (lambda s: s.explain(""), "images=''"),
        (lambda s: s.explain(np.zeros((1, 2, 2))), "an image=array"),
        (lambda s: s.explain_classes(3, 8), "first=3"),
        (lambda s: s.explain_classes("3", None), "second=None"),
        (lambda s: s.report(None), "path=None"),
        (lambda s: s.report(""), "path=''"),
        (lambda s: s.pick().export(None), "folder=None"),
        (lambda s: s.pick().export(b"x"), "folder=b'x'"),
        (lambda s: tuner.open_search(None, "x"), "NoneType"),
        (lambda s: tuner.open_search(b"runs", "x"), "bytes"),
        (lambda s: tuner.open_search(s.store, None), "name=None"),
        (lambda s: tuner.list_searches(7), "int"),
        (lambda s: tuner.load_model(None), "folder=None"),
        (lambda s: start(s, name=7), "name=7"),
        (lambda s: start(s, trials=2.0), "trials=2.0"),
        (lambda s: start(s, trials=np.int64(0)), "budget.trials=0"),
        (lambda s: start(s, progress=True), "progress=True"),
        (lambda s: start(s, progress=Half()), "step"),
        (lambda s: start(s, progress=Silent), "Silent"),
        (lambda s: start(s, trials=1, learn_from=3), "learn_from=3"),
        (lambda s: start(s, trials=1, learn_from="nowhere"), "no search 'nowhere'"),
        (lambda s: start(s, trials=1, learn_from="new"), "learn from itself"),
        (lambda s: start(s, trials=1, store=s.store + "/other", learn_from=s), "one store"),
    ],
)
def test_a_slip_is_told_with_the_argument(
    call: Callable[[Search], Any], words: str, search: Search, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as told:
        call(search)
    assert words in str(told.value)
    assert told.value.todo
    assert not list(tmp_path.iterdir())
    assert tuner.list_searches(search.store) == [search.name]


def test_numbers_of_numpy_and_series_are_numbers(search: Search) -> None:
    best = search.front().iloc[0]
    assert search.choice(best.number).trial == search.choice(np.int64(best.number)).trial == 0
    json.dumps(search.choice(best.number).to_dict())
    assert search.pick(at_most={"n_features": np.int64(10)}).trial == 0
    assert search.pick(within={"accuracy": np.float32(0.1)}).trial == 0
    assert list(search.front(pd.Index(["accuracy"])).number) == [0]  # type: ignore[arg-type]


def test_settings_may_be_paths_and_numbers_of_numpy(search: Search, tmp_path: Path) -> None:
    recipe = {
        "data": {"name": "folder", "root": tmp_path / "no images"},
        "budget": {"trials": np.int64(3)},
        "space": {"n_features": {"choices": np.array([6, 9])}, "width": {"choices": (24,)}},
    }
    with pytest.raises(TunerError, match="no images"):
        tuner.run_search(recipe, store=search.store, name="of-numpy", progress=Silent())


def test_frames_without_trials_have_the_types_of_frames_with_some(search: Search, tmp_path: Path) -> None:
    home = home_with(tmp_path / "runs", [])
    empty, full = tuner.open_search(home.store, home.name).trials(), search.trials()
    for name in ("number", "on_front", "values_accuracy"):
        assert empty[name].dtype == full[name].dtype, name
    assert empty[empty.on_front].shape == empty.shape
    assert empty.nlargest(3, "values_accuracy").empty
    assert pd.concat([empty, full]).on_front.dtype == bool
