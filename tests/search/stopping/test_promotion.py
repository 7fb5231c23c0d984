"""Pause and promote: who goes on and when, on any timing, after any interruption, and in a longer search."""

import dataclasses
import json

import pytest

from tests.turns import begin, copy_of, entries_of, recipe_of, retold, same, turn
from tuner.recipe import objectives_of
from tuner.report.analysis_views import Span
from tuner.report.chart_data import _spans
from tuner.report.views import TrialRow
from tuner.search.cost.limits import first_enough, limits_of
from tuner.search.cost.rows import to_be_promoted
from tuner.search.driver.finished import FILE, remember
from tuner.search.propose.proposer import Proposer
from tuner.search.record.events import Measured, Reopened, read_event
from tuner.search.record.holder import this_driver
from tuner.search.record.mirrored import Mirrored
from tuner.search.record.restoration import apply, replay
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stopping.bar import bar_of
from tuner.search.stopping.promotion import Promotion, promotions_left
from tuner.search.watch.following import follow
from tuner.search.watch.news import News
from tuner.store import Lease
from tuner.tracking.summary import Summary
from tuner.tracking.updates import translate

ON = (
    *("stopping.rung=0.3", "stopping.eta=3", "stopping.startup_trials=2"),
    *("sampler.name=random", "budget.trials=16"),
)


def pruned_of(state):
    return {number for number, trial in state.trials.items() if trial.outcome == "pruned"}


OBJECTIVES = ("accuracy", "interpretability")


def events_of(entries):
    return [json.loads(data) for _, data in entries]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A search whose trials pause, run in one go."""
    home = begin(tmp_path_factory.mktemp("whole"), *ON)
    turn(home, *ON)
    return home


def test_the_first_go_on_and_what_paused_goes_on_before_the_next_is_proposed(whole):
    state, events = whole.state(), events_of(entries_of(whole))
    assert state.damage == []
    assert all(trial.rung for trial in state.trials.values())
    assert state.counts()["pruned"] >= 4
    at_once = [t for t in state.trials.values() if t.outcome == "complete" and not t.reopened]
    later = [t for t in state.trials.values() if t.outcome == "complete" and t.reopened]
    assert len(at_once) >= 2
    assert len(later) >= 2
    assert not pruned_of(state) & {member.trial for member in whole.front().members}
    turns = [place for place, event in enumerate(events) if event["event"] == "reopened" and event.get("at", 99) < 16]
    assert turns, "some are promoted while there are proposals"
    assert all(events[place + 1]["event"] == "trial" for place in turns)
    assert all(events[place + 1]["trial"] == events[place]["at"] for place in turns)
    causes = {trial.cause for trial in state.trials.values() if trial.cause}
    why = ("not among the best 1/3", "fewer than 2 trials to compare")
    assert causes <= {f"paused at epoch 3 of 10, {reason}" for reason in why}


def test_what_a_promoted_trial_took_before_and_after_its_pause_counts_once(whole):
    for trial in whole.state().trials.values():
        stages = [use.stage for use in trial.stages]
        assert len(stages) == len(set(stages))
        assert ("finetune" in stages and "rung" in stages) if trial.outcome == "complete" else "rung" in stages
        assert trial.seconds == (8.0 if trial.reopened else 4.0)


def test_a_driver_killed_after_any_event_changes_nothing(whole, tmp_path):
    entries = entries_of(whole)
    for n in range(1, len(entries), 3):
        home = copy_of(tmp_path / str(n), entries[:n], *ON)
        turn(home, *ON)
        same(home, whole)
        promoted = ({n: t.promoted for n, t in h.state().trials.items()} for h in (home, whole))
        assert next(promoted) == next(promoted), n


@pytest.mark.parametrize("ahead", ["budget.parallel=2", "budget.parallel=5"])
def test_it_does_not_matter_which_trial_ends_first(whole, tmp_path, ahead):
    lag = f"sampler.lag={Promotion(recipe_of(*ON)).lag}"
    home = begin(tmp_path, *ON)
    turn(home, *ON, lag, ahead, which=max)
    same(home, whole)


@pytest.mark.parametrize("first", [3, 9])
def test_a_search_that_is_extended_proposes_and_promotes_as_the_longer_search(whole, tmp_path, first):
    """The shorter one may have trained more to the end: after its last proposal."""
    home = begin(tmp_path, *ON)
    turn(home, *ON, f"budget.trials={first}")
    assert len(home.state().trials) == first
    turn(home, *ON)
    ours, theirs = home.state().trials, whole.state().trials
    assert {n: t.params for n, t in ours.items()} == {n: t.params for n, t in theirs.items()}
    assert {n: t.promoted for n, t in ours.items()} == {n: t.promoted for n, t in theirs.items()}
    assert {n for n, t in theirs.items() if t.promoted is not None} <= {
        n for n, t in ours.items() if t.outcome == "complete"
    }


def test_the_sampler_learns_nothing_of_an_end_before_its_turn():
    recipe = recipe_of(*ON, "sampler.lag=2")
    trial = TrialRecord(0, {}, "complete", values={"accuracy": 9.0}, rung={"accuracy": 1.0}, rung_epochs=(3, 10))
    trial.known, trial.reopened, trial.promoted = 0, True, 4
    rule = Promotion(recipe)
    seen = [rule.seen({0: trial}, number)[0] for number in (3, 5, 6)]
    assert [(one.outcome, one.values) for one in seen] == [("pruned", {}), (None, {}), ("complete", {"accuracy": 9.0})]
    trial.outcome = None
    alike = dict.fromkeys(range(9), trial)
    assert [rule.ready(alike, number) for number in (1, 2, 5, 6)] == [True, True, True, False]
    assert not rule.ready({0: trial}, 5), "others are not even proposed"
    assert bar_of(recipe, SearchState({0: trial}), trial) is None, "it has been at the rung"


def test_continued_without_early_stopping_the_paused_trials_are_completed(whole, tmp_path):
    home = copy_of(tmp_path, entries_of(whole), *ON)
    turn(home, *ON, "stopping.rung=0", reopen=True)
    assert home.state().counts() == {"complete": 16}


def test_continued_with_a_smaller_eta_more_go_on(whole, tmp_path):
    home = copy_of(tmp_path, entries_of(whole), *ON)
    turn(home, *ON, "stopping.eta=1.5", reopen=True)
    assert pruned_of(home.state()) < pruned_of(whole.state())


def test_a_search_too_short_for_the_first_promotion_still_has_a_model(tmp_path):
    home = begin(tmp_path, *ON, "stopping.startup_trials=50")
    turn(home, *ON, "stopping.startup_trials=50", "budget.trials=2")
    assert home.state().counts()["complete"] >= 1


def test_the_sampler_is_told_what_paused_trials_are_expected_to_be_worth(whole):
    """As if they were complete; of those that are, the values themselves."""
    state, rule = whole.state(), Promotion(recipe_of(*ON))
    told, proposer = rule.forecasts(state.trials, 16), Proposer(recipe_of(*ON), 10)
    assert set(told) >= {n for n in pruned_of(state) if n <= 16 - rule.lag}
    proposer.propose(16, rule.seen(state.trials, 16), told)
    assert len(proposer._ended) == 17 - rule.lag
    for tried, trial in zip(proposer._ended, state.trials.values(), strict=False):
        wanted = told[trial.number].values if trial.number in told else tuple(trial.values[o] for o in OBJECTIVES)
        assert tried.values == wanted
    gains = [one.values[0] - state.trials[n].rung["accuracy"] for n, one in told.items()]
    assert min(gains) > 3, "accuracy lags at the rung by a tenth"


def test_the_turn_of_a_promotion_is_kept_and_earlier_ledgers_have_none():
    for event in (Reopened(1.0, (0, 2), 7), Reopened(1.0, (1,))):
        assert read_event(event.to_json()) == event
    assert "at" not in Reopened(1.0, (1,)).to_json()
    state = replay([{"event": "trial", "time_s": 1.0, "trial": 0, "params": {}}])
    for at, promoted in ((None, None), (7, 7), (9, 7)):
        apply(state, Reopened(1.0, (0,), at), 1.0)
        assert state.trials[0].promoted == promoted


def test_patience_ends_a_search_whose_trials_pause_alike_on_any_timing(tmp_path):
    """It counts what a turn knows, so neither the order of the ends nor an interruption shifts the last trial."""
    given, found = (*ON, "budget.patience=6", "budget.tolerance=0.05", "sampler.lag=3", "budget.trials=60"), []

    def enough(state):
        limits = limits_of(recipe_of(*given))
        return lambda number: first_enough(limits, state, number) is not None

    for name, which in (("in order", min), ("the last first", max)):
        home = begin(tmp_path / name, *given)
        turn(home, *given, enough=enough, which=which, ends=10 if which is max else 10**6)
        turn(home, *given, enough=enough, which=which)
        found.append(home)
    same(*found)
    assert 10 < len(found[0].state().trials) < 60, "patience ended it"


def test_what_a_search_costs_counts_those_that_will_go_on():
    """Ten paused at eta 2: six or seven go on, of which some have."""
    state = SearchState()
    for number in range(10):
        state.trials[number] = TrialRecord(number, {}, "pruned", rung_epochs=(3, 10))
    recipe = recipe_of(*ON, "stopping.eta=2")
    assert [trial.number for trial in to_be_promoted(recipe, state)] == [0, 1, 2, 3, 4, 5]
    for number in range(4):
        state.trials[number].outcome = "complete"
    assert [trial.number for trial in to_be_promoted(recipe, state)] == [4, 5]
    assert to_be_promoted(recipe_of(*ON, "stopping.rung=0"), state) == []


def test_mlflow_shows_a_trial_that_goes_on_as_running_and_then_as_it_ended():
    """Its outcome counts for the best values and the front, though the trial had ended before."""
    proposed = {"event": "trial", "time_s": 1.0, "trial": 0, "params": {"n_features": 9}}
    paused = {
        "event": "outcome",
        "time_s": 2.0,
        "trial": 0,
        "outcome": "pruned",
        "cause": "paused",
        "stage": "finetune",
    }
    ended = {"event": "outcome", "time_s": 4.0, "trial": 0, "outcome": "complete", "values": {"accuracy": 90.0}}
    (went_on,) = Mirrored().of(Reopened(3.0, (0,), 4).to_json())
    assert translate(went_on).status == "RUNNING"
    update = translate(paused) + translate(went_on) + translate(ended)
    assert (update.status, update.tags) == ("FINISHED", {"outcome": "complete", "stage": "", "cause": ""})
    summary = Summary()
    recipe = {"objectives": ["accuracy"]}
    for event in ({"event": "search", "time_s": 0.0, "recipe": recipe}, proposed, paused, ended, ended):
        summary.add(event)
    best = [value for value in summary.values if value.key == "best/accuracy"]
    assert [(value.value, value.step) for value in best] == [(90.0, 2)], "the second outcome"


def test_a_lost_proposal_does_not_hang_the_trials_that_are_compared_with_it(whole, tmp_path):
    """With one slot: the open trial has the slot and waits for the lost one, unless that is taken first."""
    entries, n = entries_of(whole), 0
    for n, event in enumerate(events_of(entries)):  # noqa: B007
        if (event["event"], event.get("trial")) == ("trial", 6):
            break
    kept = entries[: n + 1]
    lost = [retold(key, b"{}") if json.loads(data).get("trial") == 1 else (key, data) for key, data in kept]
    home = copy_of(tmp_path, lost, *ON)
    assert home.state().open()
    turn(home, *ON, "budget.parallel=1")
    assert len(home.state().trials) == 16
    assert not home.state().open()


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
def test_one_that_ended_otherwise_takes_no_place_and_teaches_the_sampler_no_forecast(outcome):
    """The best of four at the rung went on and failed: the next one does instead."""
    recipe, state = recipe_of(*ON, "sampler.lag=1"), SearchState()
    for number in range(4):
        trial = TrialRecord(number, {"n_features": 10 + number}, "pruned", rung_epochs=(3, 10), known=number)
        trial.rung = {"accuracy": 80.0 + number, "interpretability": 50.0 + number}
        state.trials[number] = trial
    assert Promotion(recipe).after_the_last(state) == (4, [3])
    state.trials[3].outcome, state.trials[3].reopened, state.trials[3].promoted = outcome, True, 3
    assert Promotion(recipe).after_the_last(state) == (4, [2])
    assert set(Promotion(recipe).forecasts(state.trials, 4)) == {0, 1, 2}


def test_mlflow_has_what_a_trial_did_before_and_after_its_pause_once():
    """Its stages are not told again, its seconds are those of both, and no epoch has two points."""

    def use(stage):
        return {"stage": stage, "key": stage, "reused": stage == "dense", "seconds": 1.0, "saved_s": 0.0}

    def ended(time_s, outcome, stages, **more):
        told = {"event": "outcome", "trial": 0, "outcome": outcome, "seconds": 5.0, "program": {"gap": 0.0}}
        return told | {"time_s": time_s, "stages": [use(stage) for stage in stages]} | more

    mirrored = Mirrored()
    paused = mirrored.of(ended(2.0, "pruned", ["dense", "assign", "rung"], rung_epochs=[3, 10], rung={"accuracy": 1}))
    mirrored.of(Reopened(3.0, (0,), 4).to_json())
    went_on = mirrored.of(ended(9.0, "complete", ["dense", "assign", "finetune", "evaluate"]))
    assert [event.get("stage") for event in paused[:-1]] == ["dense", "assign", "rung"]
    assert [event["stage"] for event in went_on[:-1]] == ["finetune", "evaluate"]
    assert (went_on[-1]["seconds"], went_on[-1]["program"]) == (10.0, None)
    rows = [{"epoch": float(epoch), "accuracy": 50.0} for epoch in range(1, 11)]
    curve = translate(paused[-1], rows[:3]).values + translate(went_on[0], rows).values
    assert [value.step for value in curve if value.key == "finetune/accuracy"] == [*range(1, 11)]


def test_a_log_says_that_a_trial_goes_on_and_how_it_ended_then(whole):
    """Every event of a search, one look each: a trial that paused is news when it goes on, and when it has ended."""
    state, lines, begun = SearchState(), list[str](), {"n_features": 1}
    news = News(state, objectives_of(recipe_of(*ON)), list(begun), lambda stage, gpus: "")
    for event in events_of(entries_of(whole)):
        apply(state, read_event(event), 1.0)
        lines += news.lines([], lambda: "", lambda: "")
    for number, trial in whole.state().trials.items():
        told = [line.partition(f"trial {number} ")[2] for line in lines if line.startswith(f"trial {number} ")]
        words = [each.split()[0].strip(":") for each in told]
        paused = ["pruned"] if trial.reopened or trial.outcome == "pruned" else []
        again = ["goes"] if trial.reopened else []
        ended = ["complete"] if trial.outcome == "complete" else []
        assert words == ["begins", *paused, *again, *ended], number
        why = "" if trial.promoted is None else ": by now it is among the best"
        assert not again or f"goes on from epoch 3 of 10{why}" in told


def test_who_follows_a_search_is_told_that_a_trial_goes_on(whole, tmp_path):
    entries = entries_of(whole)
    n = next(place for place, event in enumerate(events_of(entries)) if event["event"] == "reopened")
    home = copy_of(tmp_path, entries[:n], *ON)
    with Lease(home.store, home.name, this_driver()):
        looks = follow(home, pause=lambda _: home.store.put(*entries[n]))
        next(looks)
        told = [news.text for news in next(looks).news]
    numbers = events_of(entries)[n]["trials"]
    assert told == [f"trial {number} goes on from epoch 3 of 10: by now it is among the best" for number in numbers]


def test_the_timeline_has_a_trial_that_went_on_twice(whole):
    """Before its pause, and after it: not all at its end."""
    state = whole.state()
    trial = next(trial for trial in state.trials.values() if trial.reopened)
    assert trial.paused is not None
    row = TrialRow(0, "complete", {}, ended_s=trial.ended_s, paused=(10.0, 3), spans=[Span("a", 2.0)] * 5)
    assert trial.paused[0] < trial.ended_s
    first, second = _spans(dataclasses.replace(row, ended_s=100.0), ["a"])
    assert (first[1], len(first[2])) == (4.0, 3)
    assert (second[1], len(second[2])) == (96.0, 2)


def test_a_search_is_not_remembered_as_done_while_paused_trials_are_to_go_on(whole, tmp_path):
    """Its money was spent before they could."""
    assert not promotions_left(recipe_of(*ON), whole.state())
    entries = entries_of(whole)
    n = max(place for place, event in enumerate(events_of(entries)) if event["event"] == "reopened")
    home = copy_of(tmp_path, entries[:n], *ON)
    assert not home.state().open()
    for trial in home.state().trials.values():
        if trial.outcome == "complete":
            home.append(Measured(1.0, trial.number, {"accuracy": 1.0}))
    remember(home, recipe_of(*ON), home.state(), mirrored=True)
    assert home.store.stat(home.key(FILE)) is None
