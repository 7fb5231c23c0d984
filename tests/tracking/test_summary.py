"""The curves of a search's own run: worked out from the ledger in its order, each trial once."""

from typing import Any

import pytest

from tests.tracking.ledgers import ledger
from tuner.tracking.summary import Summary


def curves(events: list[dict[str, Any]]) -> dict[str, list[float]]:
    """The values of each curve, in the order of their steps."""
    summary, found = Summary(), dict[str, list[float]]()
    for event in events:
        summary.add(event)
    for value in sorted(summary.values, key=lambda value: value.step):
        found.setdefault(value.key, []).append(value.value)
    return found


def ended(trial: int, outcome: str = "complete", gap: float | None = None, **values: float) -> dict[str, Any]:
    event = {"event": "outcome", "trial": trial, "time_s": 10.0 + trial, "outcome": outcome, "values": values}
    return event | ({} if gap is None else {"program": {"gap": gap}})


START = {"event": "search", "time_s": 1.0, "recipe": {"objectives": ["accuracy", "n_features:min"]}}


def proposed(trial: int, n_features: int) -> dict[str, Any]:
    return {"event": "trial", "trial": trial, "time_s": 2.0, "params": {"n_features": n_features}}


def test_best_values_front_trials_and_gap_after_each_trial() -> None:
    events = [START, *(proposed(trial, size) for trial, size in enumerate((30, 20, 25, 20)))]
    events += [ended(0, accuracy=80.0, gap=0.01), ended(1, accuracy=70.0, gap=0.002), ended(2, accuracy=60.0)]
    events += [ended(3, accuracy=85.0, gap=0.03)]
    assert curves(events) == {
        "best/accuracy": [80, 80, 80, 85],
        "best/n_features": [30, 20, 20, 20],
        "front_size": [1, 2, 2, 1],  # the third is dominated, the last one dominates all
        "trials": [1, 2, 3, 4],
        "program/gap": [1, 1, 1, 3],  # percent, the largest of any program
    }


def test_a_trial_without_values_counts_as_a_trial_only() -> None:
    found = curves([START, proposed(0, 10), ended(0, "failed"), ended(1, "pruned"), ended(2, accuracy=float("nan"))])
    assert found == {"front_size": [0, 0, 0], "trials": [1, 2, 3]}


def test_equal_trials_are_all_members() -> None:
    events = [START, proposed(0, 10), proposed(1, 10), ended(0, accuracy=80.0), ended(1, accuracy=80.0)]
    assert curves(events)["front_size"] == [1, 2]


def test_an_outcome_written_twice_counts_once() -> None:
    events = ledger(3)
    again = [event for event in events if event["event"] == "outcome"]
    assert curves([*events, *again]) == curves(events)


@pytest.mark.parametrize(
    "event",
    [
        {"event": "outcome", "trial": "0", "time_s": 1.0},
        {"event": "outcome", "trial": 0, "outcome": "complete"},
        {"event": "trial", "trial": 0, "time_s": 1.0},
        {"time_s": 1.0},
    ],
)
def test_events_that_make_no_sense_add_nothing(event: dict[str, Any]) -> None:
    assert curves([START, event]) == {}


def test_a_trial_that_violates_a_constraint_is_no_member_unless_all_do() -> None:
    start = START | {
        "recipe": {"objectives": ["accuracy", "n_features:min"], "constraints": ["accuracy >= 75", 3, "?"]}
    }
    events = [start, *(proposed(trial, size) for trial, size in enumerate((20, 10, 30)))]
    events += [ended(0, accuracy=70.0), ended(1, accuracy=60.0), ended(2, accuracy=80.0)]
    assert curves(events)["front_size"] == [1, 2, 1]


def test_a_pruned_trial_that_went_on_counts_with_its_values() -> None:
    pruned = ended(0, "pruned")
    events = [START, proposed(0, 10), proposed(1, 20), pruned, ended(1, accuracy=80.0), pruned, ended(0, accuracy=85.0)]
    found = curves(events)
    assert found["trials"] == [1, 2, 2]
    assert found["best/accuracy"] == [80, 85]
    assert found["front_size"] == [0, 1, 1]


def test_a_gap_of_rounding_is_none() -> None:
    found = curves([START, proposed(0, 10), ended(0, accuracy=80.0, gap=8e-16), ended(1, accuracy=80.0, gap=1e-4)])
    assert found["program/gap"] == [0.0, pytest.approx(0.01)], "MLflow's tables would show 8e-14 as 8.00"
