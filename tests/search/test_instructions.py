"""Instructions to a running search: entries in the store, what a driver does with them, what a restart remembers."""

import json
import os
import time

import pytest

from tests.turns import N_CLASSES, Broker, begin, outcome_of, recipe_of
from tuner.errors import UsageError
from tuner.search.control.control import Control
from tuner.search.control.entries import MOST_BYTES, UNKNOWN, folder, give, numbers, read
from tuner.search.control.inbox import Inbox
from tuner.search.driver.instructions import Instructions
from tuner.search.propose.proposer import Proposer
from tuner.search.propose.searcher import LedgerSearcher
from tuner.search.record.events import Instructed, Proposed, Started
from tuner.search.record.fields import InvalidEventError
from tuner.search.record.holder import this_driver
from tuner.search.record.restoration import apply
from tuner.store import Lease


class Turn:
    """A driver's turn without Ray: the real searcher, ledger and instructions."""

    def __init__(self, home, *overrides):
        self.home, self.recipe = home, recipe_of(*overrides)
        self.state = home.state(self.recipe)
        self.asked = self.recipe.budget.trials
        self.recipe.budget.trials = self.state.in_force(self.asked)
        self.said, self.skipped, self.broker, self.n = [], [], Broker(), 0
        self.inbox = Inbox(home.store, home.name, self.state.instructed, self.said.append)
        skip = lambda *told: self.skipped.append(told)  # noqa: E731
        place = (self.inbox, self.recipe, self.state, lambda: N_CLASSES, self.record, skip, self.said.append)
        self.instructions = Instructions(*place)
        started = {**self.recipe.to_dict(), "budget": {"trials": self.asked, "parallel": 2}}
        self.record(Started(time.time(), started, {}))
        self.instructions.begin()
        self.instructions.heed()
        proposer = Proposer(self.recipe, N_CLASSES)
        stop = lambda: self.instructions.stopped is not None  # noqa: E731
        means = (self.record, self.broker, stop, lambda number: False, self.instructions.heed)
        self.searcher = self.instructions.trials = LedgerSearcher(self.recipe, "bank", self.state, proposer, *means)
        self.running = {}

    def record(self, event):
        self.home.append(event)
        assert apply(self.state, event, self.state.elapsed_s) is None

    def hear(self, verb, **arguments):
        """An instruction is given, and the driver looks; returns what the ledger has of it."""
        number = give(self.home.store, self.home.name, verb, arguments, "ada@lab7").number
        self.inbox.look()
        self.searcher.look()
        return self.home.state(self.recipe).instructed[number]

    def start(self):
        """Tune asks for trials until it gets none; returns what it got last."""
        while isinstance(given := self.searcher.suggest(f"tune-{self.n}"), dict):
            self.running[given["number"]], self.n = f"tune-{self.n}", self.n + 1
        return given

    def end(self, number, outcome=None):
        stages = self.broker.ready.pop(number)
        text = outcome or outcome_of(self.state.trials[number].params, stages)
        self.searcher.on_trial_complete(self.running.pop(number), {"record": json.dumps(text)})

    def finish(self):
        """All that is left; returns the numbers of the trials that ended."""
        ended = []
        while self.start() is None:
            ended.append(next(number for number in self.running if number in self.broker.ready))
            self.end(ended[-1])
        return ended


POINT = {"n_features": 20, "features_per_class": 3, "width": 128, "l1": 0.1}
SPACE = (
    "space={n_features: {low: 10, high: 60, step: 5}, features_per_class: {choices: [3, 4, 5]}, "
    "width: {choices: [128, 256]}, l1: {low: 0.01, high: 3.0, log: true}}"
)


@pytest.fixture
def home(tmp_path):
    return begin(tmp_path, SPACE)


def test_an_added_trial_is_the_next_one_runs_beside_the_budget_and_happens_once(home):
    turn = Turn(home, SPACE)
    assert turn.start() is None
    told = turn.hear("add", **POINT)
    assert (told.applied, told.trials, told.by) == (True, 9, "ada@lab7")
    assert turn.state.trials[2].params == {**POINT, "seed": 0}
    assert turn.state.trials[2].instruction == told.number
    turn.end(0)
    assert turn.start() is None
    assert 2 in turn.broker.ready
    turn.end(1)
    turn.finish()
    state = home.state(recipe_of(SPACE))
    assert len(state.finished()) == 9
    assert not state.damage
    assert Turn(home, SPACE).finish() == []


def test_a_driver_that_died_between_adding_and_recording_adds_nothing_again(home):
    turn = Turn(home, SPACE)
    number = give(home.store, home.name, "add", POINT).number
    turn.record(Proposed(time.time(), 0, {**POINT, "seed": 0}, number))  # and then it died
    again = Turn(home, SPACE)
    told = again.state.instructed[number]
    assert (told.applied, told.trials) == (True, 9)
    assert [t.number for t in again.state.trials.values() if t.instruction == number] == [0]
    assert len(again.finish()) == 9


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({**POINT, "n_features": 21}, "not in the space"),
        ({"n_features": 20, "features_per_class": 3, "l1": 0.1}, "lacks width"),
        ({**POINT, "depth": 3}, "no parameter of the recipe"),
    ],
)
def test_a_point_that_no_trial_can_have_is_refused_by_the_driver(home, params, why):
    told = Turn(home, SPACE).hear("add", **params)
    assert not told.applied
    assert why in told.note


def test_a_point_is_added_once(home):
    turn = Turn(home, SPACE)
    assert turn.hear("add", **POINT).applied
    assert "trial 0 has these parameters already" in turn.hear("add", **POINT).note
    turn.start()
    turn.hear("skip", trial=0)
    turn.end(0, skipped())
    assert turn.hear("add", **POINT).applied


def skipped():
    return {
        **{"outcome": "skipped", "stage": "dense", "cause": "skipped by ada@lab7", "values": {}, "stages": []},
        **{"model": None, "program": None, "remade": [], "seconds": 3.0},
    }


def test_a_skipped_trial_is_ended_once_and_teaches_the_sampler_nothing(home):
    turn = Turn(home, SPACE)
    turn.start()
    assert turn.hear("skip", trial=1).applied
    assert turn.skipped == [(1, "skipped by ada@lab7")]
    turn.end(1, skipped())
    turn.end(0)
    turn.finish()
    state = home.state(recipe_of(SPACE))
    assert state.counts() == {"complete": 7, "skipped": 1}
    assert 1 not in {member.trial for member in home.front().members}
    assert "has ended already: skipped" in turn.hear("skip", trial=1).note
    assert "has not begun; the last one so far is trial 7" in turn.hear("skip", trial=99).note
    proposer = Proposer(recipe_of(SPACE), N_CLASSES)
    proposer.propose(8, {**state.trials})
    assert [tried.measured for tried in proposer._ended] == [True] * (8 - proposer.lag)


def test_a_skip_outlives_the_driver_that_was_to_carry_it_out(home):
    turn = Turn(home, SPACE)
    turn.start()
    turn.hear("skip", trial=1)  # and the driver dies before the broker has ended the trial
    again = Turn(home, SPACE)
    assert again.state.trials[1].outcome == "skipped"
    assert again.state.trials[0].outcome is None


def test_an_open_trial_of_an_earlier_driver_is_skipped_before_it_begins(home):
    Turn(home, SPACE).start()
    again = Turn(home, SPACE)
    assert again.hear("skip", trial=0).applied
    assert again.skipped == []
    again.start()
    assert 0 not in again.running
    assert again.state.trials[0].cause == "skipped by ada@lab7"


def test_while_paused_nothing_begins_and_what_runs_goes_on_also_in_the_next_driver(home):
    turn = Turn(home, SPACE)
    turn.start()
    assert turn.hear("pause").applied
    turn.end(0)
    turn.end(1)
    assert turn.start() is None
    assert turn.running == {}
    assert "paused already" in turn.hear("pause").note
    again = Turn(home, SPACE)
    assert again.start() is None
    assert again.running == {}
    assert again.hear("resume").applied
    assert len(again.finish()) == 6
    assert "not paused" in again.hear("resume").note


def test_a_pause_waits_for_added_trials_even_if_the_budget_is_spent(home):
    turn = Turn(home, SPACE)
    turn.start()
    turn.hear("pause")
    assert turn.hear("budget", trials=2).trials == 2
    turn.end(0)
    turn.end(1)
    assert turn.start() is None
    assert turn.hear("resume").applied
    assert turn.start() == "FINISHED"


def test_to_stop_ends_the_turn_and_does_not_stop_the_next_one(home):
    turn = Turn(home, SPACE)
    turn.start()
    assert turn.hear("stop").applied
    assert turn.start() == "FINISHED"
    assert not turn.instructions.stopped_now
    assert turn.hear("stop", now=True).applied
    assert turn.instructions.stopped_now
    number = give(home.store, home.name, "stop", {}).number  # the driver has just died
    again = Turn(home, SPACE)
    assert "this driver began later" in again.state.instructed[number].note
    assert again.start() is None


def test_what_is_said_while_a_driver_starts_is_meant_for_it(home):
    """It reads the data or extracts features, for an hour perhaps, and looks at instructions afterwards only."""
    earlier = give(home.store, home.name, "stop", {}).number
    path = home.store.local_path(f"{folder(home.name)}{earlier:06d}.json")
    os.utime(path, (time.time() - 60, time.time() - 60))
    since_s = home.store.now()
    meant = give(home.store, home.name, "stop", {}).number
    inbox = Inbox(home.store, home.name, [], print, since_s)
    assert inbox.old == {earlier}
    assert meant in {instruction.number for instruction in inbox.take()}


def test_a_raised_budget_counts_until_a_new_number_is_asked_for(home):
    turn = Turn(home, SPACE)
    turn.start()
    assert turn.hear("budget", trials=10).trials == 10
    assert Turn(home, SPACE).recipe.budget.trials == 10  # the same command again
    assert Turn(home, SPACE).recipe.budget.trials == 10
    assert Turn(home, SPACE, "budget.trials=12").recipe.budget.trials == 12
    assert Turn(home, SPACE).recipe.budget.trials == 8
    assert len(Turn(home, SPACE, "budget.trials=12").finish()) == 12


def test_a_lower_budget_lets_the_trials_that_have_begun_end(home):
    turn = Turn(home, SPACE)
    turn.start()
    assert "2 have begun, and go on" in turn.hear("budget", trials=1).note
    assert turn.finish() == [0, 1]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"{", "not valid JSON"),
        (b"[]", "a list"),
        (b"x" * (MOST_BYTES + 1), "bytes"),
        (b'{"verb": "frob", "arguments": {}, "by": "a", "given_s": 1}', "'frob'"),
        (b'{"verb": "skip", "arguments": {"trial": -1}, "by": "a", "given_s": 1}', "no number of a trial"),
        (b'{"verb": "skip", "arguments": {}, "by": "a", "given_s": 1}', "not trial alone"),
        (b'{"verb": "stop", "arguments": {"now": "yes"}, "by": "a", "given_s": 1}', "neither true nor false"),
        (b'{"verb": "stop", "arguments": null, "by": "a", "given_s": 1}', "now alone"),
        (b'{"verb": "pause", "arguments": {"x": 1}, "by": "a", "given_s": 1}', "no arguments"),
        (b'{"verb": "budget", "arguments": {"trials": 1e9}, "by": "a", "given_s": 1}', "no number of trials"),
        (b'{"verb": "add", "arguments": {"width": [1]}, "by": "a", "given_s": 1}', "no value of a parameter"),
        (b'{"verb": "pause", "arguments": {}, "by": 7, "given_s": 1}', "its by is no text"),
        (b'{"verb": "pause", "arguments": {}, "by": "a", "given_s": "now"}', "given_s"),
    ],
)
def test_a_wrong_entry_is_refused_with_a_reason_and_hurts_nobody(home, content, why):
    home.store.put(f"{folder(home.name)}000001.json", content)
    turn = Turn(home, SPACE)
    told = turn.state.instructed[1]
    assert (told.applied, told.verb) == (False, UNKNOWN)
    assert why in told.note
    assert turn.hear("pause").number == 2
    assert Control(home).answers()[0].state == "refused"


def test_a_person_steers_no_terminal_and_tells_no_password(home):
    by = "\x1b[2Jada https://me:secret@host"
    content = {"verb": "pause", "arguments": {}, "by": by, "given_s": 1.0}
    home.store.put(f"{folder(home.name)}000001.json", json.dumps(content).encode())
    turn = Turn(home, SPACE)
    assert "\x1b" not in turn.state.instructed[1].by
    assert "secret" not in " ".join(turn.said)


def test_entries_are_numbered_and_never_written_over(home):
    home.store.put(f"{folder(home.name)}000002.json", b"{}")
    home.store.put(f"{folder(home.name)}notes.txt", b"")
    assert [give(home.store, home.name, "pause", {}).number for _ in range(3)] == [1, 3, 4]
    assert numbers(home.store, home.name) == ([1, 2, 3, 4], ["notes.txt"])
    said = []
    inbox = Inbox(home.store, home.name, [], said.append)
    inbox.look()
    assert [instruction.number for instruction in inbox.take()] == [1, 2, 3, 4]
    assert inbox.take() == []
    assert len(said) == 1
    assert "notes.txt is no instruction" in said[0]
    home.store.delete(f"{folder(home.name)}000003.json")
    assert read(home.store, home.name, 3) is None


def test_a_number_that_the_ledger_has_is_not_given_twice(home):
    """Entries may be deleted once they are carried out; a driver passes over a number that it knows."""
    turn = Turn(home, SPACE)
    assert turn.hear("budget", trials=9).number == 1
    home.store.delete(f"{folder(home.name)}000001.json")
    answer = Control(home, wait_s=0.0).budget(11)
    assert (answer.number, answer.state) == (2, "waiting")
    turn.inbox.look()
    turn.searcher.look()
    assert turn.recipe.budget.trials == 11


def test_a_ledger_that_skips_no_trial_skips_none(home):
    home.append(Instructed(1.0, 1, "skip", {}, "mallory", 1.0, True, "skipped"))
    turn = Turn(home, SPACE)
    assert turn.finish()
    assert "skipped" not in turn.state.counts()


def test_a_smaller_budget_takes_promises_back_and_a_larger_one_gives_the_same_trials(home, tmp_path):
    slots = (SPACE, "budget.parallel=4", "sampler.lag=3")
    turn, straight = Turn(home, *slots), Turn(begin(tmp_path / "straight", SPACE), *slots)
    assert turn.start() is None
    assert sorted(turn.state.trials) == [0, 1, 2], "the fourth is promised"
    turn.hear("budget", trials=3)
    turn.end(0)
    assert sorted(turn.state.trials) == [0, 1, 2], "and is not needed any more"
    turn.hear("budget", trials=8)
    turn.searcher.on_trial_complete(turn.running.pop(3), {"record": "null"})  # its coordinator had nothing to do
    turn.broker.ready.pop(3)
    turn.finish()
    straight.finish()
    params = [{n: trial.params for n, trial in t.state.trials.items()} for t in (turn, straight)]
    assert params[0] == params[1]
    assert len(params[0]) == 8


def test_a_wrong_instruction_is_not_written(home):
    with pytest.raises(InvalidEventError):
        give(home.store, home.name, "budget", {"trials": 0})
    assert numbers(home.store, home.name) == ([], [])


def test_what_a_ledger_says_of_instructions_is_checked(home):
    made = Instructed(1.0, 1, "pause", {}, "ada", 1.0, True, "paused")
    assert Instructed.from_json(made.to_json()) == made
    for field, value in [
        ("number", -1),
        ("verb", "a b"),
        ("applied", 1),
        ("trials", "9"),
        ("trials", 0),
        ("arguments", []),
    ]:
        with pytest.raises(InvalidEventError):
            Instructed.from_json({**made.to_json(), field: value})
    assert "instruction" not in Proposed(1.0, 0, {}).to_json()


def test_whoever_gives_an_instruction_hears_what_became_of_it(home):
    waiting = Control(home, wait_s=0.0).pause()
    assert (waiting.state, waiting.instruction) == ("waiting", "pause")
    assert "no driver runs: the next qpm-tuner search --store" in waiting.note
    Turn(home, SPACE)
    assert [(answer.number, answer.state) for answer in Control(home).answers()] == [(1, "applied")]
    with Lease(home.store, home.name, this_driver()):
        late = Control(home, wait_s=0.0).stop(now=True)
    assert (late.instruction, late.state) == ("stop now=True", "waiting")
    assert "has not answered yet" in late.note


@pytest.mark.parametrize(
    "mistake",
    [
        lambda control: control.skip("7"),
        lambda control: control.skip(True),
        lambda control: control.skip([7]),
        lambda control: control.budget(0),
        lambda control: control.budget(2.5),
        lambda control: control.add("n_features=20"),
        lambda control: control.add({"n_features": 2.5}),
        lambda control: control.add({7: 7}),
        lambda control: control.stop(),
    ],
)
def test_a_mistake_in_python_is_a_usage_error_and_nothing_is_written(home, mistake):
    with pytest.raises(UsageError):
        mistake(Control(home, wait_s=0.0))
    assert numbers(home.store, home.name) == ([], [])
