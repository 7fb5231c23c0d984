"""The replayed table: results between its points, and the merit of a set of trials."""

import json

import pytest

from benchmarks.replay import Merit, Table
from benchmarks.search import idle, merits


@pytest.fixture
def path(tmp_path):
    """A table of three values of `n_features` and two of `l1`: more features, better accuracy, worse the other."""
    rows = [
        {"seed": 0, "width": 48, "n_features": m, "features_per_class": 3, "l1": l1, "seconds": {"dense": 2.0 * l1}}
        | {"values": {"accuracy": 60.0 + m + l1, "interpretability": 90.0 - m}}
        | {"epochs": [{"epoch": 3, "accuracy": 50.0 + l1, "interpretability": 50.0}]}
        for m in (10, 20, 30)
        for l1 in (0.1, 10.0)
    ]
    file = tmp_path / "table.json"
    file.write_text(json.dumps({"grid": {"n_features": [10, 20, 30], "l1": [0.1, 10.0]}, "rows": rows}))
    return file


def test_results_between_two_points_follow_the_logarithm(path):
    table = Table(path)
    between = table.at({"n_features": 20, "features_per_class": 3, "width": 48, "l1": 1.0})
    assert len(table) == 6
    assert between.values == pytest.approx({"accuracy": 85.05, "interpretability": 70.0})
    assert between.epochs[3]["accuracy"] == pytest.approx(55.05)
    assert between.seconds["dense"] == pytest.approx(10.1)
    with pytest.raises(KeyError):
        table.at({"n_features": 25, "features_per_class": 3, "width": 48, "l1": 1.0})


def test_the_tables_own_front_has_a_merit_of_one_hundred(path):
    table = Table(path)
    merit = Merit(table)
    everything = [table.at(point).values for point in table.points()]
    assert merit.percent([]) == 0.0
    assert merit.percent(everything) == pytest.approx(100.0)
    assert merit.reference.tolist() == pytest.approx([80.0 - 2.99, 60.0 - 2.0])
    middle = table.at({"n_features": 20, "features_per_class": 3, "width": 48, "l1": 10.0}).values
    assert merit.percent([middle]) == pytest.approx(100 * 12.99 * 12 / (22.99 * 2 + 12.99 * 10 + 2.99 * 10))


def test_a_sampler_is_replayed_without_training(path):
    space = "space={n_features: {choices: [10, 20, 30]}, l1: {choices: [0.1, 10]}}"
    fixed = ["features_per_class=3", "width=48"]
    (early, late), seconds = merits(path, [space, *fixed, "sampler.name=random"], (2, 6), 0)
    assert early <= late == pytest.approx(100.0)
    assert seconds < 1.0


def test_slots_idle_less_with_a_larger_lag():
    waits = [sum(idle(lag, 4, 100, seed, 0.05) for seed in range(5)) for lag in (4, 6, 12, 100)]
    assert waits == sorted(waits, reverse=True)
    assert idle(1, 1, 20, 0, 0.05) == pytest.approx(0.0)
