"""Events are checked when they are made and when they are read, by the same rules; what came later has a default."""

import dataclasses
import json

import pytest

from tests.ledgers import finished
from tuner.search.record.events import KINDS, Ended, Measured, Proposed, Started, read_event
from tuner.search.record.fields import InvalidEventError, clean, line, told
from tuner.search.record.stage_use import StageUse

USE = {"stage": "finetune", "key": "f0", "reused": False, "seconds": 2.0, "saved_s": 0.0}
USE |= {"ran_s": 1.5, "cpus": 1.0, "gpus": 0.0}
LEARNED = {"trial": 3, "params": {"width": 48}, "outcome": "complete", "stage": None, "values": {"accuracy": 90.0}}
EVENTS = {
    "search": {
        "event": "search",
        "time_s": 1.0,
        "recipe": {"budget": {"trials": 3, "parallel": 2}},
        "versions": {"a": "1"},
    },
    "trial": {"event": "trial", "time_s": 2.0, "trial": 0, "params": {"width": 48, "l1": 0.5, "mode": "x", "on": True}},
    "outcome": {
        "event": "outcome",
        "time_s": 3.0,
        "trial": 0,
        "outcome": "complete",
        "stage": None,
        "cause": None,
        "values": {"accuracy": 95.0, "n_images": 288},
        "stages": [USE],
        "model": "f0",
        "seconds": 2.5,
        "program": {"objective": 1.0, "bound": None, "gap": 0.0, "status": "optimal", "seconds": 0.1},
        "remade": ["a bank was damaged"],
    },
    "reference": {"event": "reference", "time_s": 3.5, "values": {"accuracy": 71.5}, "trials": 10},
    "learned": {
        "event": "learned",
        "time_s": 1.5,
        "search": "other",
        "trials": [
            {"trial": 3, "params": {"width": 48}, "outcome": "complete", "stage": None, "values": {"accuracy": 90.0}}
        ],
    },
    "reopened": {"event": "reopened", "time_s": 3.5, "trials": [0]},
    "test": {"event": "test", "time_s": 4.0, "trial": 0, "values": {"accuracy": 94.0}},
    "confirmation": {
        "event": "confirmation",
        "time_s": 5.0,
        "trial": 0,
        "seed": 4,
        "split_seed": 2**32 - 1,
        "outcome": "complete",
        "cause": None,
        "values": {"accuracy": 93.0},
        "stages": [USE],
    },
    "baseline": {
        "event": "baseline",
        "time_s": 5.0,
        "name": "probe",
        "note": "",
        "split": "test",
        "values": {"a": 1.0},
        "key": "e0",
        "seed": 3,
        "trial": 0,
    },
    "pick": {"event": "pick", "time_s": 6.0, "trial": 0, "reason": "Trial 0 is the knee."},
}
NO_NUMBER = [None, True, "3", "NaN", [], {}, float("nan"), float("inf"), -1, 10**400]
NO_TRIAL = [None, True, "3", 1.0, -1, 10**18, 10**6, []]
NO_KEY = [1, "", "../..", "a/b", "/etc", "a.b", "x" * 101, "ä", "a\n", True, []]
NO_WORD = [1, "", "a b", "../x", "\x1b[2J", [], True]
NO_VALUES = [None, [], "x", 3, {"a": None}, {"a": "1"}, {"a": True}, {"a": float("inf")}, {"a": 10**400}, {"": 1.0}]
NO_VALUES += [{"a\x1b[2J": 1.0}, {"x" * 300: 1.0}, {"a": {}}]
NO_TREE = [None, [], "x", {"a": float("nan")}, {"a": object()}]
WRONG = [
    *((kind, "time_s", value) for kind in EVENTS for value in NO_NUMBER),
    *((kind, "trial", value) for kind in ("trial", "outcome", "test", "confirmation", "pick") for value in NO_TRIAL),
    *(("trial", "params", value) for value in [None, [], "x", {"a": None}, {"a": float("nan")}, {"a": []}, {"": 1}]),
    *((kind, "values", value) for kind in ("outcome", "test", "confirmation", "baseline") for value in NO_VALUES),
    *(("confirmation", name, value) for name in ("seed", "split_seed") for value in (None, True, 1.0, -1, 2**32, "1")),
    *(("confirmation", "outcome", value) for value in (None, "halted", 1, [])),
    *(("confirmation", "cause", value) for value in (1, [], {})),
    ("confirmation", "values", {}),
    *(("learned", "search", value) for value in (None, 1, [], "a\x1b[2J")),
    *(("learned", "trials", value) for value in (None, {}, "x", [1], [{}])),
    *(("learned", "trials", [{**LEARNED, "trial": value}]) for value in NO_TRIAL),
    *(("learned", "trials", [{**LEARNED, "values": value}]) for value in NO_VALUES),
    *(("learned", "trials", [{**LEARNED, "params": value}]) for value in (None, [], {"a": None}, {"": 1})),
    *(("learned", "trials", [{**LEARNED, "outcome": value}]) for value in NO_WORD),
    *(("confirmation", "stages", value) for value in (None, {}, "x", [1], [{}])),
    *(("outcome", "outcome", value) for value in (None, "done", 1, [], {})),
    *(("outcome", "stage", value) for value in NO_WORD),
    *(("outcome", "cause", value) for value in (1, [], {}, True)),
    *(("outcome", "model", value) for value in [*NO_KEY, None, "another"]),
    *(("outcome", "values", value) for value in ({},)),
    *(("outcome", "seconds", value) for value in NO_NUMBER),
    *(("outcome", "stages", value) for value in (None, {}, "x", [1], [None], [[]], [{}])),
    *(("outcome", "stages", [{**USE, "key": value}]) for value in NO_KEY),
    *(("outcome", "stages", [{**USE, "stage": value}]) for value in NO_WORD),
    *(("outcome", "stages", [{**USE, "reused": value}]) for value in (None, 0, "no")),
    *(("outcome", "stages", [{**USE, name: value}]) for name in ("seconds", "saved_s") for value in NO_NUMBER),
    *(("outcome", "program", value) for value in (1, [], {"gap": "x"}, {"gap": float("nan")}, {"status": "a b\n"})),
    *(("trial", "known", value) for value in NO_TRIAL[1:]),
    *(("reopened", "trials", value) for value in (None, 3, "x", {}, *([trial] for trial in NO_TRIAL))),
    *(("outcome", "rung", value) for value in NO_VALUES),
    *(("outcome", "rung_epochs", value) for value in (3, "x", {}, [], [3], [3, 3], [0, 3], [1.0, 3], [1, 3])),
    *(("outcome", "remade", value) for value in (1, "x", {}, [1], [[]])),
    *(("baseline", name, value) for name in ("name", "note") for value in (None, 1, [], "a\x1b[2J")),
    *(("baseline", "split", value) for value in NO_WORD),
    *(("baseline", "key", value) for value in NO_KEY),
    *(("baseline", "seed", value) for value in (True, "3", 1.0, -1, 2**32, [])),
    *(("baseline", "trial", value) for value in NO_TRIAL[1:]),
    *(("pick", "reason", value) for value in (None, 1, [])),
    *(("search", name, value) for name in ("recipe", "versions") for value in NO_TREE),
    *(("test", "command", value) for value in NO_WORD),
]


@pytest.mark.parametrize("kind", EVENTS)
def test_an_event_reads_back_as_it_was_written(kind):
    event = read_event(EVENTS[kind])
    assert type(event) is KINDS[kind]
    assert event.to_json() == EVENTS[kind]
    assert read_event(json.loads(json.dumps(event.to_json()))) == event


@pytest.mark.parametrize("old", [True, False])
def test_ledgers_of_earlier_versions_are_read(old):
    for event in finished(old=old):
        read_event(event)
    content = {name: value for name, value in EVENTS["outcome"].items() if name not in ("program", "remade")}
    assert (read_event(content).program, read_event(content).remade) == (None, ())
    content = {name: value for name, value in EVENTS["baseline"].items() if name not in ("key", "seed", "trial")}
    assert read_event(content).identity == "probe"


@pytest.mark.parametrize("kind", EVENTS)
def test_a_field_that_lacks_is_named_and_one_too_many_is_left(kind):
    content = EVENTS[kind]
    assert read_event({**content, "token": "x", "of a newer version": [1]}) == read_event(content)
    fields, missing = dataclasses.fields(KINDS[kind]), dataclasses.MISSING
    required = {f.name for f in fields if f.default is missing and f.default_factory is missing}
    assert required >= {"time_s"}
    for name in required:
        with pytest.raises(InvalidEventError, match=f"lacks {name}"):
            read_event({key: value for key, value in content.items() if key != name})


@pytest.mark.parametrize(("kind", "name", "value"), WRONG)
def test_a_field_of_another_kind_is_damage(kind, name, value):
    with pytest.raises(InvalidEventError) as told:
        read_event({**EVENTS[kind], name: value})
    assert str(told.value).isprintable()
    assert len(str(told.value)) < 250


def test_whoever_writes_is_held_to_the_same_rules():
    for make in (
        lambda: Proposed(1.0, -1, {}),
        lambda: Proposed(1.0, 0, {"l1": float("nan")}),
        lambda: Measured(float("inf"), 0, {}),
        lambda: StageUse("dense", "../..", False, 1.0, 0.0),
        lambda: Ended(1.0, 0, "complete", None, None, {"a": 1.0}, (), None, 1.0),
        lambda: Started(1.0, {"a": object()}, {}),
    ):
        with pytest.raises(InvalidEventError):
            make()


@pytest.mark.parametrize("content", [None, [], 3, "x", {}, {"event": None}, {"event": 3}, {"event": ["trial"]}])
def test_what_is_no_event_is_damage(content):
    with pytest.raises(InvalidEventError, match="names no kind"):
        read_event(content)


def test_an_event_of_a_newer_version_is_named_as_such():
    with pytest.raises(InvalidEventError, match="kind unknown here: 'fork'; a newer version may have written it"):
        read_event({"event": "fork", "time_s": 1.0})


def test_a_tree_that_is_too_deep_is_damage():
    deep = {}
    for _ in range(900):
        deep = {"a": deep}
    with pytest.raises(InvalidEventError, match="recipe"):
        read_event({**EVENTS["search"], "recipe": deep})


def test_texts_of_errors_become_one_line_that_a_terminal_can_show():
    ended = read_event({**EVENTS["outcome"], "outcome": "failed", "model": None, "cause": "a\x1b[2J\nb\ud800ü"})
    assert ended.cause == "a?[2J b?ü"
    assert len(clean("x" * 10**6)) < 6000


def test_neither_an_event_nor_what_is_wrong_with_one_shows_a_password():
    for secret in ("http://someone:hunter-2@host/x", "https://host/?token=hunter-2"):
        assert "hunter-2" not in clean(f"cannot reach {secret} now")
        assert "hunter-2" not in line("cause", f"cannot reach {secret} now")
        assert "hunter-2" not in told(secret)
        assert "hunter-2" not in told("x" * 40 + f" http://{'s' * 20}:hunter-2{'s' * 99}@host/x")
        for content in ({"event": secret}, {"event": "trial", "time_s": secret, "trial": 0, "params": {}}):
            with pytest.raises(InvalidEventError) as damage:
                read_event(content)
            assert "hunter-2" not in str(damage.value)
