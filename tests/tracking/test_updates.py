"""The translation of ledger events: finite, deterministic, and in names MLflow takes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric

from tests.tracking.ledgers import curves, ledger
from tuner.tracking.updates import Entry, safe_key, safe_name, translate


def test_a_curve_is_shown_by_epoch_and_ends_when_the_stage_ends() -> None:
    event = {
        "event": "stage",
        "trial": 7,
        "stage": "dense",
        "key": "k",
        "reused": False,
        "seconds": 9.0,
        "time_s": 100.0,
    }
    update = translate(event, curves("dense", "k"))
    accuracy = [value for value in update.values if value.key == "dense/accuracy"]
    assert [(value.step, value.value) for value in accuracy] == [(1, 61.0), (2, 62.0), (3, 63.0)]
    assert [value.timestamp_ms for value in accuracy] == [94_000, 97_000, 100_000]
    assert update.stage_keys == {"dense": "k"}


def test_the_seconds_of_a_stage_are_those_it_ran() -> None:
    waited = {"event": "stage", "trial": 0, "time_s": 100.0, "stage": "assign", "key": "a0", "reused": False}
    waited |= {"seconds": 20.6, "saved_s": 0.0}
    for event, shown in ((waited | {"ran_s": 2.0}, 2.0), (waited, 20.6)):
        assert {value.key: value.value for value in translate(event).values}["assign/seconds"] == shown


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None, "79"])
def test_what_is_no_finite_number_is_left_out(bad: object) -> None:
    values = {"accuracy": 79.0, "sid5": bad}
    event = {"event": "outcome", "trial": 7, "time_s": 1.0, "outcome": "failed", "values": values, "seconds": bad}
    update = translate(event)
    assert [value.key for value in update.values] == ["accuracy"]
    assert update.status == "FAILED"


def test_the_program_and_the_errors_of_a_trial_are_shown() -> None:
    event = {"event": "outcome", "trial": 7, "time_s": 1.0, "outcome": "complete", "seconds": 2.0}
    event["values"] = {"accuracy": 96.1, "n_images": 288.0}
    program = {"objective": 301.25, "bound": 305.2, "gap": 0.013, "status": "deadline", "seconds": 20.0}
    update = translate(event | {"program": program})
    shown = {value.key: value.value for value in update.values}
    assert shown["accuracy_error"] == pytest.approx(1.15, abs=0.001)
    assert shown["n_images"] == 288
    assert shown["program/gap"] == pytest.approx(1.3)  # percent
    assert (shown["program/bound"], shown["program/objective"]) == (305.2, 301.25)
    assert update.tags["program/status"] == "deadline"
    test = translate({"event": "test", "trial": 7, "time_s": 1.0, "values": event["values"]})
    assert {value.key for value in test.values} == {"test/accuracy", "test/accuracy_error", "test/n_images"}


@pytest.mark.parametrize("program", [None, {}, {"gap": None, "bound": None, "objective": 1.0, "status": "deadline"}])
def test_what_is_not_known_of_a_program_is_left_out(program: object) -> None:
    event = {"event": "outcome", "trial": 7, "time_s": 1.0, "outcome": "failed", "values": {}, "program": program}
    assert {value.key for value in translate(event).values} <= {"program/objective"}


def test_an_entry_is_named_by_its_content() -> None:
    first, *rest = ledger(2)
    reordered = dict(reversed(first.items()))
    assert Entry.of(first) == Entry.of(reordered)
    assert len({Entry.of(event).id for event in [first, *rest]}) == 1 + len(rest)


def test_updates_add_up_to_the_same_as_their_parts() -> None:
    updates = [translate(event) for event in ledger(1)[1:]]
    total = updates[0]
    for update in updates[1:]:
        total = total + update
    assert total.status == "FINISHED"
    assert list(total.stage_keys) == ["dense", "assign", "finetune", "evaluate"]
    assert total.values == [value for update in updates for value in update.values]
    assert not updates[0].values, "adding must not change the parts"


@given(st.text(max_size=300))
def test_every_search_has_a_name_mlflow_takes(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert not set(safe) & set("/:'\"`\\\n")
    assert safe == safe.strip(". ")
    assert safe_name(safe) == safe


@given(st.text(min_size=1, max_size=300))
def test_every_key_is_one_mlflow_takes(name: str) -> None:
    _validate_metric(safe_key(name), 1.0, 0, 0)


def test_a_run_of_a_system_is_named_by_system_and_seed_and_can_be_grouped() -> None:
    event = {"event": "baseline", "time_s": 9.0, "name": "QPM 50/5", "note": "DINO-QPM", "split": "test"}
    event |= {"values": {"accuracy": 80.0, "n_images": 100.0}, "key": "e1", "seed": 2, "trial": None}
    assert Entry.of(event).run == "baseline-QPM 50/5-seed-2"
    update = translate(event)
    assert update.params == {"system": "QPM 50/5", "seed": "2"}
    assert update.tags["baseline"] == "true"
    assert {value.key for value in update.values} >= {"test/accuracy", "test/accuracy_error"}
    again = event | {"name": "trial 7", "trial": 7}
    assert Entry.of(again).run == "trial-0007-again-seed-2"
    assert translate(again).tags["baseline"] == "false"
    assert Entry.of({"event": "baseline", "name": "linear probe"}).run == "baseline-linear probe"
