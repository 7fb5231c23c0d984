"""`qpm-tuner diff`: what differs between two trials or two searches, how sure that is, and what it cost."""

import json

import numpy as np
import pytest

import tuner
from jobs import diff
from tests.ledgers import COUNTS, SPACE, finished, home_with, trial_events
from tuner.errors import UsageError
from tuner.qpm.assignment import Assignment
from tuner.recipe import load_recipe
from tuner.search.outcome.diff_searches import diff_searches
from tuner.search.outcome.diff_trials import diff_trials
from tuner.search.outcome.shared_features import of_assignments
from tuner.search.record.home import SearchHome
from tuner.search.session.precision import settle_precision


@pytest.fixture
def home(tmp_path):
    return home_with(tmp_path / "runs", finished())


def beside(home, name="other", *overrides, events=None):
    """A second search in the same store."""
    other = SearchHome(home.store, name)
    other.start(settle_precision(load_recipe("digits", [SPACE, *overrides])), "bank")
    for event in events or [*finished(), *trial_events(3, {"accuracy": 93.0, "interpretability": 71.0, **COUNTS})]:
        other.ledger.append(event)
    return other


def run(home, capsys, *arguments):
    code = diff.main(["--store", home.store.url, *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_two_trials_differ_by_so_much_and_the_noise_of_that_is_told(home, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = run(home, capsys, "made-up:0", "made-up:2")
    assert code == 0
    rows = {line.split("  ")[0].strip(): line.split() for line in out.splitlines() if "  " in line}
    assert rows["features per class"][-3:] == ["2", "4", "differs"]
    assert rows["width"][-2:] == ["256", "256"]
    assert rows["* accuracy %"][3:5] == ["96.1", "90.1"]
    assert "images" in rows["* accuracy %"], "beyond the noise of images, in one line or several"
    assert "noise unknown" in " ".join(rows["* interpret. %"])
    assert "neither dominates the other in accuracy and interpretability" in out
    assert "no part of the choice" in out
    assert max(map(len, out.splitlines())) <= 80
    document = json.loads(run(home, capsys, "made-up:2", "made-up:0", "--json")[1])
    told = document["differences"]["accuracy"]
    assert told["change"] == pytest.approx(90.13579 - 96.12345)
    assert (told["beyond_noise"], told["run_once"]) == (None, True), "the luck of the seed is unknown"
    assert document["test"][0]["n_images"] == 360


def test_trials_of_two_searches_on_other_images_are_said_to_be_so(home, capsys):
    beside(home, "other", "data.split_seed=3", "dense.epochs=7")
    code, out, _ = run(home, capsys, "made-up:1", "other:3")
    assert code == 0
    assert "caution: the splits differ (data.split_seed: 0 -> 3): the values are of different images" in out
    assert "settings that differ: dense.epochs:" in out
    assert "made-up:1 is nowhere worse" not in out


def test_dominance_is_told_with_its_doubt(home):
    other = beside(home, "other", events=[*finished(), *trial_events(3, {"accuracy": 95.0, "interpretability": 60.0})])
    told = diff_trials((home, other), (1, 3)).dominance()
    assert told.startswith("made-up:1 is nowhere worse than other:3 and somewhere better in accuracy and interpret")
    assert told.endswith("but their difference in accuracy and interpretability is not known to be beyond noise")


def assignment(features, *rows):
    n = len(features)
    return Assignment(np.array(features), np.array(rows, bool), np.zeros(n), np.ones(n))


def test_features_of_the_same_dense_model_are_shared(home, tmp_path):
    one = assignment([1, 4, 7], [1, 1, 0], [0, 1, 1])
    two = assignment([1, 4, 9], [1, 1, 0], [1, 0, 1])
    found = of_assignments(one, two)
    assert (found.features, found.shared, found.classes, found.equal_classes) == ((3, 3), 2, 2, 1)
    assert found.overlap == pytest.approx((1 + 0 / 4) / 2)
    events = finished()
    for event in events:
        for use in event.get("stages", ()):
            use["key"] = "dense0" if use["stage"] == "dense" else use["key"]
    other = beside(home, "shared", events=events)
    for name, made in (("assign0", one), ("assign1", two)):
        folder = tmp_path / name
        folder.mkdir()
        made.save(folder)
        home.artifacts.publish("stages/assign", name, folder, {})
    told = str(diff_trials((other, other), (0, 1)))
    assert "they share 2 features of one dense model, of 3 and 3; 1 of 2 classes are made of the same features" in told
    assert "no longer in the store" in str(diff_trials((other, other), (0, 2)).shared)
    assert "two dense models" in str(diff_trials((home, home), (0, 1)).shared)


def test_two_searches_which_is_ahead_where_and_at_what_cost(home, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    beside(home)
    code, out, _ = run(home, capsys, "made-up", "other")
    assert code == 0
    assert "other is nowhere worse than made-up" in out
    flat = " ".join(out.split())
    assert "at accuracy from 90.1 to 93.0 % other is ahead of made-up, by up to 1.1 percentage points of" in flat
    assert "(trial 1 of made-up against trial 3 of other; noise unknown)" in flat
    assert "of 200 resamplings of images and seeds" in flat
    assert max(map(len, out.splitlines())) <= 80
    document = json.loads(run(home, capsys, "made-up", "other", "--reference", "accuracy", "80", "--json")[1])
    assert document["fronts"]["box"]["worst"]["accuracy"] == 80
    assert document["fronts"]["covered"] == [0, 0]
    assert document["fronts"]["epsilon"][1] <= 0 < document["fronts"]["epsilon"][0]
    assert [cost["trials"] for cost in document["spent"]] == [3, 4]
    assert [cost["ran_s"] for cost in document["spent"]] == [24, 32]
    assert [reached["trials"] for reached in document["reached"]] == [3, 3]
    assert document["same_images"] is True


def test_a_reference_that_means_nothing_is_refused(home, capsys):
    beside(home)
    for given, said in (
        (["acuracy=80"], "'acuracy' is not an objective of this front"),
        (["accuracy=80", "accuracy=70"], "accuracy=80 and accuracy=70"),
    ):
        code, out, err = run(home, capsys, "made-up", "other", "--reference", *given)
        assert (code, out, said in err) == (2, "", True)


def test_trials_alike_in_all_are_shown(home, capsys):
    """The last column of the parameters has nothing to say then, not even a heading."""
    beside(home)
    code, out, _ = run(home, capsys, "made-up:1", "other:1")
    assert code == 0
    assert "made-up:1 and other:1 are equal in accuracy and interpretability" in out
    assert "differs" not in out


def test_what_violates_a_constraint_takes_no_part_in_the_way_there(home, capsys):
    """The hypervolume that both reach is at most that of either front."""
    limited = beside(home, "limited", "constraints=['accuracy >= 95']", events=finished())
    found = diff_searches(home, limited)
    assert found.fronts.members == (3, 2)
    assert found.reached[1].hypervolume == pytest.approx(found.fronts.hypervolume[1])
    assert found.reached[1].trials == 2
    assert "caution: the constraints differ (none and accuracy >= 95)" in str(found)
    assert "constraints" not in " ".join(found.comparable.settings)


def test_one_trial_is_one_and_a_share_has_its_unit(home, capsys):
    beside(home, "single", events=trial_events(0, {"accuracy": 97.0, "interpretability": 50.0, **COUNTS}))
    flat = " ".join(run(home, capsys, "single", "made-up")[1].split())
    assert "the only member of single and 3 of the 3 members of made-up" in flat
    assert "if its member was better by" in flat
    assert " 1 trial, " in flat
    assert "hypervolume from accuracy 89.4 % and interpretability 47.9 % up to the best values: single" in flat
    assert "only single has members, such as trial 0" in flat


def test_three_objectives_and_other_ones(home, capsys):
    beside(home)
    axes = ["--objectives", "accuracy", "interpretability", "n_features:min"]
    code, out, _ = run(home, capsys, "made-up", "other", *axes)
    assert (code, "is ahead of" in out) == (0, False)
    assert "the best in features: 10 of trial 0 of made-up against 10 of trial 0 of other: the same features" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["made-up", "made-up"], "are the same"),
        (["made-up:1", "made-up:1"], "are the same"),
        (["made-up", "made-up:1"], "one is a search and one a trial"),
        (["made-up:1", "made-up:9"], "one of [0, 1, 2]"),
        (["made-up:x", "made-up:1"], "names neither a search nor a trial"),
        (["made-up:1", "made-pu:1"], "did you mean 'made-up'?"),
        (["made-up:1", "made-up:2", "--reference", "accuracy=3"], "--reference beside two trials"),
        (["made-up:1", "made-up:2", "--objectives", "beauty"], "beauty"),
    ],
)
def test_what_makes_no_sense_is_refused(home, capsys, arguments, said):
    code, out, err = run(home, capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "to do:" in err


def test_an_address_may_hold_its_store(home, tmp_path, capsys):
    other = home_with(tmp_path / "elsewhere", finished())
    code, out, _ = run(home, capsys, "made-up", f"{other.store.url}/made-up", "--json")
    assert code == 0
    assert json.loads(out)["names"] == [f"{search.store.url}/made-up" for search in (home, other)]
    assert diff.main([f"{home.store.url}/made-up:0", f"{home.store.url}/made-up:1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["names"] == ["trial 0", "trial 1"]


@pytest.mark.slow
def test_from_python(home):
    other = beside(home)
    one, two = (tuner.open_search(home.store, search.name) for search in (home, other))
    found = one.diff(two)
    assert "other is nowhere worse than made-up" in str(found)
    assert found.to_dict() == diff_searches(home, other).to_dict()
    pair = one.choice(0).diff(two.choice(3))
    assert pair.to_dict()["differences"]["accuracy"]["change"] == pytest.approx(96.12345 - 93.0)
    for call in (lambda: one.diff("other"), lambda: one.choice(0).diff(3)):
        with pytest.raises(UsageError, match="the other one is of type"):
            call()


def test_two_searches_are_compared_above_the_reference_of_their_recipes(home):
    """The first one's where both have one; what is asked for comes before either."""
    one = beside(home, "one", "reference={accuracy: 70}", events=finished())
    two = beside(home, "two", "reference={accuracy: 75, interpretability: 20}")
    assert diff_searches(one, two).fronts.box.worst == {"accuracy": 70, "interpretability": 20}
    assert diff_searches(two, one).fronts.box.worst == {"accuracy": 75, "interpretability": 20}
    assert diff_searches(one, two, reference={"accuracy": 60}).fronts.box.worst["accuracy"] == 60
    assert diff_searches(home, one).fronts.box.worst["interpretability"] > 50, "neither says: beside the worst member"
