"""What a report says of a search beyond its trials: what matters, how it is repeated, what its features are."""

import shlex
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tuner.front.pareto import Objective, Point
from tuner.recipe import load_recipe
from tuner.search.outcome import features
from tuner.search.outcome.importance import FEWEST_TRIALS, importances
from tuner.search.outcome.repeat import repeat_command

AXES = [Objective("accuracy", "max", 0.0, 100.0), Objective("nll", "min", 0.0, 10.0, unit="")]


def points(n: int) -> list[Point]:
    """`l1` alone decides accuracy, `width` alone nll; `seed` never varies."""
    random = np.random.default_rng(0)
    found = []
    for trial in range(n):
        l1, width = float(10 ** random.uniform(-1, 1)), int(random.choice([64, 128, 256]))
        values = {"accuracy": 90 - l1, "nll": width / 100 + random.normal(0, 0.01)}
        found.append(Point(trial, {"l1": l1, "width": width, "seed": 0}, values))
    return found


@pytest.mark.slow
def test_the_parameter_that_decides_an_objective_has_the_largest_share() -> None:
    by_objective = {found.objective: found for found in importances(points(24), AXES, frozenset({"l1"}))}
    assert [next(iter(by_objective[name].shares)) for name in ("accuracy", "nll")] == ["l1", "width"]
    for found in by_objective.values():
        shares = [share.share for share in found.shares.values()]
        assert sum(shares) == pytest.approx(1.0)
        assert shares[0] > 0.85
        assert all(0 <= share.deviation < 0.2 for share in found.shares.values())
        assert (found.trials, found.known) == (24, 24)
    again = importances(points(24), AXES, frozenset({"l1"}))
    assert again[0].shares == by_objective["accuracy"].shares  # the same at each time


def test_too_few_trials_say_nothing_of_what_matters() -> None:
    assert importances(points(FEWEST_TRIALS - 1), AXES, frozenset()) == []
    alone = [Point(p.trial, {"l1": p.params["l1"]}, p.values) for p in points(20)]
    assert importances(alone, AXES, frozenset()) == []  # one parameter has nothing to be compared with


@pytest.mark.parametrize(
    ("preset", "changes"),
    [
        ("digits", []),
        ("demo", ["budget.trials=77", "dense.lr=1e-5", "title=it's a test"]),
        ("cub", ["objectives=[accuracy,pointing]", "space={l1: {low: 0.1, high: 1.0, log: true}}"]),
    ],
)
def test_the_command_repeats_the_search(preset: str, changes: list[str]) -> None:
    recipe = load_recipe(preset, [*changes, "tracking.uri=http://host"])
    command = repeat_command(recipe, "/tmp/a b", "birds")
    assert "http://host" not in command  # of the machine, not of the search
    program, verb, *options = shlex.split(command)
    assert (program, verb) == ("qpm-tuner", "search")
    assert options[:6] == ["--recipe", preset, "--store", "/tmp/a b", "--name", "birds"]
    repeated = load_recipe(preset, options[6:])
    repeated.tracking = recipe.tracking
    assert repeated.to_dict() == recipe.to_dict()


def test_parts_and_attributes_of_a_feature() -> None:
    parts = np.zeros((4, 3, 3), dtype=np.float32)
    parts[:, :, 2] = 1.0
    parts[:, 1, :2] = 1.5  # part 2 is where the feature peaks, but hidden on the last image
    parts[:, 0, :2] = 0.5
    parts[:, 2, :2] = 3.5
    parts[3, 1, 2] = 0.0
    present = np.array([[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, -1]], dtype=np.int8)
    bank = SimpleNamespace(parts=parts, image_attributes=present)
    peaks = np.full(4, 5)  # row 1, column 1 of a grid of four by four
    assert features._part(bank, ["back", "beak", "belly"], np.arange(4), peaks, (4, 4)) == ("beak", 0.75)
    pooled = torch.tensor([[4.0], [4.0], [1.0], [1.0]])
    seen = features.Seen(np.arange(4), pooled, torch.zeros(4, 1))
    (of_a_name,) = features._attributes(bank, ["has_bill_shape::all-purpose"], seen, 0)
    assert of_a_name[0] == "bill shape: all-purpose"
    found = features._attributes(bank, [], seen, 0)
    assert [name for name, _ in found] == ["attribute 1"]  # 2 fires less with it; 3 gives 2.5 with and 4 without
    assert found[0][1] == pytest.approx((4.0 - 1.0) / 1.5)
    nothing = SimpleNamespace(parts=None, image_attributes=None)
    assert features._part(nothing, [], np.arange(4), peaks, (4, 4)) is None
    assert features._attributes(nothing, [], seen, 0) == ()
