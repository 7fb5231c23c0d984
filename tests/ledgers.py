"""A search made of its ledger alone, no stage of which ever ran: for tests that print, look and pick."""

from pathlib import Path
from typing import Any

from tuner.recipe import load_recipe
from tuner.search.record.home import SearchHome
from tuner.search.session.precision import settle_precision
from tuner.store import open_store

# A space that the trials made here lie in.
SPACE = (
    "space={n_features: {low: 10, high: 250, step: 10}, features_per_class: {low: 2, high: 26}, "
    "width: {choices: [128, 256]}, l1: {low: 0.0001, high: 3.0, log: true}}"
)
COUNTS = {"n_images": 288.0, "n_masked_images": 120.0, "n_train_images": 1149.0}
PROGRAMS = [
    {"objective": 338.2335, "bound": 338.2335, "gap": 0.0, "status": "optimal"},
    {"objective": 310.5, "bound": 311.742, "gap": 0.004, "status": "gap"},
    {"objective": 301.25, "bound": 305.16625, "gap": 0.013, "status": "deadline"},
]


def trial_events(number: int, values: dict[str, float], **fields: Any) -> list[dict[str, Any]]:
    """A trial's proposal and its outcome."""
    time_s = 100.0 + 10 * number
    params = {"n_features": 10 * (number + 1), "features_per_class": 2 + number, "width": 256, "l1": 0.001234567}
    stages = [
        {"stage": stage, "key": f"{stage}{number}", "reused": False, "seconds": 2.0, "saved_s": 0.0}
        for stage in ("dense", "assign", "finetune", "evaluate")
    ]
    outcome = {"outcome": "complete", "stage": None, "cause": None, "values": values, "stages": stages}
    outcome |= {"model": f"finetune{number}", "seconds": 8.0}
    return [
        {"event": "trial", "trial": number, "time_s": time_s, "params": params},
        {"event": "outcome", "trial": number, "time_s": time_s + 8} | outcome | fields,
    ]


def finished(
    objectives: tuple[str, ...] = ("accuracy", "interpretability"), *, old: bool = False
) -> list[dict[str, Any]]:
    """The events of a driver's turn: three trials, all on the front, the second one the knee.

    Args:
        objectives: of those that it would not have otherwise, each trial has some value.
        old: as an earlier version wrote it: nothing counted, no programs.
    """
    events: list[dict[str, Any]] = [{"event": "search", "time_s": 99.0, "recipe": {}, "versions": {}}]
    tests: list[dict[str, Any]] = []
    for number, (accuracy, rest) in enumerate([(96.12345, 60.98765), (95.54321, 69.87654), (90.13579, 71.24681)]):
        values = {"accuracy": accuracy, "interpretability": rest, "plausibility_undilated": 55.55555}
        values |= {"class_independence": 91.23456, "contrastiveness": 99.12345}
        values |= {name: 41.23456 + number for name in objectives if name not in values}
        fields: dict[str, Any] = {} if old else {"program": PROGRAMS[number]}
        events += trial_events(number, values if old else values | COUNTS, **fields)
        tested = values if old else values | COUNTS | {"n_images": 360.0}
        tests.append({"event": "test", "trial": number, "time_s": 130.0, "values": tested})
    return events + tests


def home_with(root: Path, events: list[dict[str, Any]], *overrides: str) -> SearchHome:
    """A search with these events in a store of its own."""
    home = SearchHome(open_store(str(root)), "made-up")
    home.start(settle_precision(load_recipe("digits", [SPACE, *overrides])), "bank")  # as a search does
    for event in events:
        home.ledger.append(event)
    return home
