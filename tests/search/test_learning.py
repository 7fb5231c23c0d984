"""Learning from other searches: whose values can be compared, which of their trials count, and that they are kept."""

import json

import pytest

from jobs.search import arguments
from tests.turns import begin, turn
from tuner.base.progress import Silent
from tuner.errors import UsageError
from tuner.recipe import load_recipe
from tuner.search.driver import learning
from tuner.search.driver.learning import differing, learned_from
from tuner.search.propose.proposer import Proposer
from tuner.search.record.home import SearchHome
from tuner.search.record.restoration import replay

SPACE = "space={n_features: {choices: [10, 20]}, l1: {low: 0.1, high: 10, log: true}}"


class Told(Silent):
    """Keeps the warnings."""

    def __init__(self):
        self.warned = []

    def warn(self, line):
        self.warned.append(line)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("dense.epochs=3", "dense.epochs: 10, here 3"),
        ("validation_fraction=0.3", "validation_fraction: 0.2, here 0.3"),
        ("data.split_seed=4", "data.split_seed: 0, here 4"),
        ("backbone.n_atoms=16", "backbone.n_atoms: 128, here 16"),
        ("width=32", "adapter.width: 48, here 32"),
        ("data.name=digit_pairs", "data.name: digits, here digit_pairs"),
    ],
)
def test_settings_that_neither_searches_are_named(override, told):
    assert told in differing(load_recipe("digits", [SPACE]), load_recipe("digits", [SPACE, override]))


@pytest.mark.parametrize(
    "override",
    ["seed=7", "sampler.name=qmc", "budget.trials=3", "objectives=[accuracy]", "constraints=[accuracy >= 3]",
     "points=[{l1: 1}]", "reference={accuracy: 3}", "dense.precision=bfloat16", "title=other", "backbone.batch_size=4",
     "space.l1={choices: [1]}", "space.width={choices: [64, 128]}", "confirm.seeds=9"],
)  # fmt: skip
def test_space_objectives_budget_and_sampler_may_differ(override):
    assert differing(load_recipe("digits", [SPACE]), load_recipe("digits", [SPACE, override])) == []


@pytest.fixture
def old(tmp_path):
    """A search of five trials."""
    home = begin(tmp_path, SPACE, "budget.trials=5")
    turn(home, SPACE, "budget.trials=5")
    return home


def learn(old, *overrides):
    recipe = load_recipe("digits", [SPACE, "dense.precision=float32", "finetune.precision=float32", *overrides])
    new = SearchHome(old.store, "new")
    return recipe, learned_from(new, ["made-up", "made-up"], recipe, "bank", replay([]), Silent())


def test_its_trials_are_learned_from_once_and_not_tried_again(old):
    recipe, events = learn(old)
    assert [trial.trial for event in events for trial in event.trials] == [0, 1, 2, 3, 4]
    state = replay([json.loads(json.dumps(event.to_json())) for event in (*events, *events)])
    assert not state.damage
    assert [(search, trial.number) for (search, _), trial in state.learned.items()] == [
        ("made-up", n) for n in range(5)
    ]
    proposer = Proposer(recipe, 10, list(state.learned.values()))
    assert [trial.values[0] for trial in proposer._ended] == [t.values["accuracy"] for t in old.state().trials.values()]
    tried = {(t.params["n_features"], t.params["l1"]) for t in old.state().trials.values()}
    assert not proposer._accept({"n_features": next(iter(tried))[0], "l1": next(iter(tried))[1]})
    assert learned_from(SearchHome(old.store, "new"), ["made-up"], recipe, "bank", state, Silent()) == []


def test_a_field_that_only_one_of_them_searches_counts_trial_by_trial(old):
    found = {trial.params["n_features"] for trial in old.state().trials.values()}
    assert found == {10, 20}
    _, events = learn(old, "space={l1: {low: 0.1, high: 10, log: true}}", "n_features=10")
    kept = {trial.trial for event in events for trial in event.trials}
    assert kept == {n for n, trial in old.state().trials.items() if trial.params["n_features"] == 10}
    _, events = learn(old, "space.width={choices: [48, 128]}")
    assert {trial.params["width"] for event in events for trial in event.trials} == {48}


def test_another_search_or_bank_is_refused_in_words(old):
    with pytest.raises(UsageError, match=r"neither of them searches:\n    dense.epochs: 10, here 4") as refused:
        learn(old, "dense.epochs=4")
    assert "`points`" in refused.value.todo
    recipe = load_recipe("digits", [SPACE])
    with pytest.raises(UsageError, match="bank bank, here other"):
        learned_from(SearchHome(old.store, "new"), ["made-up"], recipe, "other", replay([]), Silent())


def test_constraints_of_the_recipe_reach_the_front_of_a_stored_search(tmp_path):
    free = begin(tmp_path / "free", SPACE)
    bound = begin(tmp_path / "bound", SPACE, "constraints=[accuracy >= 75]")
    for home, overrides in ((free, [SPACE]), (bound, [SPACE, "constraints=[accuracy >= 75]"])):
        turn(home, *overrides)
    view = bound.front()
    assert view.members
    assert all(member.values["accuracy"] >= 75 for member in view.members)
    assert any(member.values["accuracy"] < 75 for member in free.front().members)
    n = sum(trial.values["accuracy"] >= 75 for trial in bound.state().trials.values())
    assert view.satisfaction.startswith(f"{n} of 8 complete trials satisf")
    assert json.loads(view.to_json())["constraints"] == view.satisfaction


def test_several_searches_are_named_one_by_one():
    given = ["--store", "s", "--name", "n", "--from", "a", "--from", "b"]
    assert arguments().parse_args(given).learn_from == ["a", "b"]
    assert arguments().parse_args(given[:4]).learn_from == []


def test_a_search_does_not_learn_from_itself(old):
    with pytest.raises(UsageError, match="learn from itself"):
        learned_from(old, ["made-up"], load_recipe("digits", [SPACE]), "bank", replay([]), Silent())


@pytest.mark.parametrize("named", [True, False])
def test_a_driver_that_was_killed_between_two_events_has_the_rest_learned_later(old, monkeypatch, named):
    monkeypatch.setattr(learning, "MOST_AT_ONCE", 2)
    recipe, events = learn(old)
    assert [len(event.trials) for event in events] == [2, 2, 1]
    half = replay([event.to_json() for event in events[:1]])
    new = SearchHome(old.store, "new")
    rest = learned_from(new, ["made-up"] if named else [], recipe, "bank", half, Silent())
    assert [[trial.trial for trial in event.trials] for event in rest] == [[2, 3], [4]]
    whole = replay([event.to_json() for event in (*events[:1], *rest)])
    assert list(whole.learned) == [("made-up", number) for number in range(5)]
    assert learned_from(new, [], recipe, "bank", whole, Silent()) == []
    old.store.root.joinpath("searches").rename(old.store.root / "gone")
    said = Told()
    assert learned_from(SearchHome(old.store, "new"), [], recipe, "bank", half, said) == []
    assert said.warned == ["search 'made-up' is gone before it was read to its end: 2 of its trials count"]


def test_a_ledger_of_an_earlier_version_has_learned_all_there_was(old):
    _, events = learn(old)
    earlier = [{name: value for name, value in event.to_json().items() if name != "total"} for event in events]
    assert learning.unfinished(replay(earlier)) == []
