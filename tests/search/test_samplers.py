"""Every sampler by name: what it proposes is possible, untried, and the same however a search was interrupted."""

from dataclasses import dataclass

import numpy as np
import pytest

from tuner.base.settings import setting
from tuner.errors import UsageError
from tuner.recipe import SAMPLERS, SamplerKind, SamplerSettings, load_recipe, register_sampler
from tuner.search.propose.proposer import Proposer
from tuner.search.propose.space import Space
from tuner.search.record.possible import Possible
from tuner.search.record.restoration import TrialRecord

SPACE = (
    "space={n_features: {low: 5, high: 30, step: 5}, features_per_class: {choices: [2, 3, 4, 5]}, "
    "width: {choices: [32, 64, 256]}, l1: {low: 0.1, high: 3.0, log: true}, "
    "assign.variant: {choices: [released, paper]}}"
)
N_CLASSES = 10
LEARNING = [pytest.param("gp", marks=pytest.mark.slow), "tpe", "nsga2"]


def recipe(name, *overrides):
    return load_recipe(
        "digits", [SPACE, f"sampler.name={name}", "sampler.startup=4", "sampler.population=4", *overrides]
    )


def search(settings, trials, found=None):
    """Proposals against a made-up trade-off, from an empty or an interrupted search; every other trial has ended."""
    proposer, found = Proposer(settings, N_CLASSES), dict(found or {})
    for number in range(len(found), trials):
        if (ended := number - proposer.lag) >= 0 and found[ended].outcome is None:
            params = found[ended].params
            found[ended].outcome = "complete"
            found[ended].values = {
                "accuracy": 60 + params["n_features"] - params["l1"],
                "interpretability": 90.0 - 5 * params["features_per_class"],
            }
        if (params := proposer.propose(number, found)) is None:
            break
        found[number] = TrialRecord(number, params)
    return found


def params_of(found):
    return [trial.params for trial in found.values()]


@pytest.mark.parametrize("name", [*LEARNING, "random", "qmc", "grid"])
def test_each_proposes_what_is_possible_and_untried_and_the_same_after_an_interruption(name):
    settings = recipe(name)
    found = search(settings, 14)
    possible, space = Possible.of(settings, N_CLASSES), Space(settings.space)
    assert all(possible.settled(trial.params) == trial.params for trial in found.values())
    assert len({space.point(trial.params) for trial in found.values()}) == 14
    half = {n: TrialRecord(n, t.params, t.outcome, values=t.values) for n, t in found.items() if n < 11}
    assert params_of(search(settings, 14, half)) == params_of(found)


@pytest.mark.parametrize("name", ["tpe", "nsga2", "random", "qmc", "grid"])
def test_the_budget_does_not_shape_the_search(name):
    short, long = (params_of(search(recipe(name, f"budget.trials={trials}"), 10)) for trials in (10, 400))
    assert short == long


@pytest.mark.parametrize("name", ["tpe", "nsga2", "random", "qmc", "grid"])
def test_the_seed_shapes_the_search(name):
    assert params_of(search(recipe(name), 6)) != params_of(search(recipe(name, "seed=1"), 6))


def test_another_number_in_flight_is_the_same_search_once_its_lag_is_settled():
    lagging = [recipe("tpe", "sampler.lag=5", f"budget.parallel={parallel}") for parallel in (2, 4)]
    assert params_of(search(lagging[0], 10)) == params_of(search(lagging[1], 10))


@pytest.mark.slow
def test_nsga2_leaves_chance_behind_after_its_first_generation():
    """Chance has 17.5 features and 3.5 per class in the mean."""
    late = [
        t for seed in range(3) for t in params_of(search(recipe("nsga2", f"seed={seed}", "sampler.lag=1"), 40))[20:]
    ]
    assert np.mean([t["n_features"] for t in late]) - 5 * np.mean([t["features_per_class"] for t in late]) > 3


def test_a_grid_is_tried_once_and_then_the_search_ends():
    grid = "space={n_features: {choices: [20, 10]}, l1: {low: 0.1, high: 10, log: true}}"
    found = search(load_recipe("digits", [grid, "sampler.name=grid", "sampler.levels=3"]), 50)
    points = [(t.params["n_features"], round(t.params["l1"], 6)) for _, t in sorted(found.items())]
    assert points[0] == (20, 1.0), "the recipe's own settings come first"
    assert sorted(points) == [(n, l1) for n in (10, 20) for l1 in (0.1, 1.0, 10.0)]


def test_a_grid_of_too_many_points_is_refused_with_its_longest_axis():
    space = "space={n_features: {low: 5, high: 30}, dense.lr: {low: 0.001, high: 0.1, log: true}}"
    settings = load_recipe("digits", [space, "sampler.name=grid", "sampler.levels=900"])
    with pytest.raises(UsageError, match=r"23,400 points, 900 of them along dense\.lr") as refused:
        Proposer(settings, N_CLASSES)
    assert "sampler.levels" in refused.value.todo


def test_a_sobol_sequence_covers_a_range_more_evenly_than_chance():
    space = "space={l1: {low: 0.1, high: 10, log: true}, dense.lr: {low: 0.001, high: 0.1, log: true}}"
    trials = params_of(search(load_recipe("digits", [space, "sampler.name=qmc", "sampler.recipe_first=false"]), 16))
    cells = {
        (int(4 * np.log(t["l1"] / 0.1) / np.log(100)), int(4 * np.log(t["dense.lr"] * 1000) / np.log(100)))
        for t in trials
    }
    assert len(cells) > 13  # of 16; chance fills 10


@pytest.mark.parametrize("name", ["tpe", "nsga2", "random", "qmc", "grid"])
def test_no_trial_is_spent_on_what_a_constraint_on_a_parameter_rules_out(name):
    """A point that a person asked for is tried all the same, and nothing is learned from it."""
    bounds = [
        "constraints=[n_features <= 12, l1 >= 0.5, accuracy >= 61]",
        "points=[{n_features: 30, width: 64, l1: 0.2}]",
    ]
    asked, *proposed = params_of(search(recipe(name, *bounds), 12))
    assert (asked["n_features"], asked["l1"]) == (30, 0.2)
    assert len(proposed) == 11
    assert all(p["n_features"] in (5, 10) and p["l1"] >= 0.5 for p in proposed)


@pytest.mark.parametrize("name", [*LEARNING, "random", "qmc", "grid"])
def test_without_a_space_there_is_one_trial(name):
    assert len(search(load_recipe("digits", ["space={}", f"sampler.name={name}"]), 5)) == 1


@pytest.mark.parametrize(
    ("space", "asked", "points"),
    [
        ("{low: 0.1, high: 1, log: true}", "0.09999999999", [0.1, 1.0]),
        ("{low: 0.1, high: 0.3, step: 0.1}", "0.30000000000000004", [0.1, 0.2, 0.3]),
    ],
)
def test_a_point_that_differs_by_rounding_is_the_same_point(space, asked, points):
    grid = ["sampler={name: grid, levels: 2, recipe_first: false}", f"points=[{{l1: {asked}}}]"]
    found = params_of(search(load_recipe("digits", [f"space={{l1: {space}}}", *grid]), 9))
    assert sorted(params["l1"] for params in found) == points
    prior = [TrialRecord(0, {"l1": float(asked)}, "complete")]
    proposer = Proposer(load_recipe("digits", [f"space={{l1: {space}}}", *grid[:1]]), N_CLASSES, prior)
    again = [proposer.propose(0, {})["l1"]]
    assert again[0] in points
    assert abs(again[0] - float(asked)) > 0.01


def test_a_draw_at_the_end_of_a_range_is_that_end():
    """A Gaussian process proposes ends, as 0.10000000000000002 for instance: else it tries them again and again."""
    dimension = Space({"l1": {"low": 0.1, "high": 10.0, "log": True}})
    assert dimension.decode({"l1": 0.10000000000000002}) == {"l1": 0.1}
    assert dimension.decode({"l1": 9.999999999999998}) == {"l1": 10.0}
    assert dimension.decode({"l1": 0.1000001}) == {"l1": 0.1000001}
    assert dimension.encode({"l1": 0.09999999999}) == {"l1": 0.1}


@pytest.mark.slow
def test_a_gaussian_process_calculates_on_one_thread(monkeypatch):
    """On two threads it takes eight times the CPU, and what it proposes would depend on the machine."""
    import torch

    from tuner.search.propose.gaussian import GPSampler

    seen, before, real = [], torch.get_num_threads(), GPSampler.sample_relative

    def spy(*args, **kwargs):
        seen.append(torch.get_num_threads())
        return real(*args, **kwargs)

    monkeypatch.setattr(GPSampler, "sample_relative", spy)
    torch.set_num_threads(3)
    try:
        settings = recipe("gp", "sampler.startup=2", "sampler.lag=1")
        proposer, found = Proposer(settings, N_CLASSES), {}
        for number in range(4):
            values = {"accuracy": 60.0 + number, "interpretability": 60.0}  # one point best by far: no warning either
            found[number] = TrialRecord(number, proposer.propose(number, found), "complete", values=values)
        assert seen
        assert set(seen) == {1}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@dataclass
class SmallestSettings(SamplerSettings):
    """Of the sampler below."""

    reverse: bool = setting(False, "begin with the largest")


class Smallest:
    """All sizes in order."""

    def __init__(self, config, space):
        self.config, self.space = config, space

    def points(self, history, number, seed):
        values = sorted(self.space.dimensions["n_features"].values, reverse=self.config.reverse)
        return ({"n_features": value} for value in values)


def test_a_sampler_of_ones_own_is_named_and_set_in_a_recipe():
    register_sampler(SamplerKind("smallest", Smallest, SmallestSettings))
    try:
        space = "space={n_features: {choices: [10, 20, 30]}}"
        settings = load_recipe(
            "digits", [space, "sampler={name: smallest, recipe_first: false}", "sampler.reverse=true"]
        )
        assert [p["n_features"] for p in params_of(search(settings, 5))] == [30, 20, 10]
        with pytest.raises(UsageError, match="population"):
            load_recipe("digits", [space, "sampler.name=smallest", "sampler.population=3"])
    finally:
        SAMPLERS.remove("smallest")


@pytest.mark.parametrize(
    ("dimension", "values"),
    [
        ({"choices": [256, 64, 128]}, [64, 128, 256]),
        ({"choices": [1.0, 0.003, 0.1]}, [0.003, 0.1, 1.0]),
        ({"choices": [5, 6, 30]}, [5, 6, 30]),
        ({"low": 2, "high": 8, "step": 3}, [2, 5, 8]),
        ({"low": 0.0, "high": 0.9, "step": 0.3}, [0.0, 0.3, 0.6, 0.9]),
        ({"choices": ["b", "a"]}, ["b", "a"]),
    ],
)
def test_numbers_are_drawn_in_their_order(dimension, values):
    made = Space({"x": dimension})
    drawn = [made.at([(place + 0.5) / len(values)])["x"] for place in range(len(values))]
    assert drawn == values
    assert [made.decode(made.encode({"x": value}))["x"] for value in values] == values


@pytest.mark.slow
def test_powers_of_two_are_learned_from_as_neighbours():
    """Of eight widths two are best, next to each other; chance has a quarter of the trials there."""
    space = "space={width: {choices: [32, 64, 128, 256, 512, 1024, 2048, 4096]}, l1: {low: 0.1, high: 10, log: true}}"
    hits = []
    for seed in range(3):
        proposer = Proposer(
            load_recipe("digits", [space, f"seed={seed}", "sampler.lag=1", "objectives=[accuracy]"]), N_CLASSES
        )
        found = {}
        for number in range(30):
            params = proposer.propose(number, found)
            score = 90 - 4 * abs(np.log2(params["width"]) - 9.5)
            found[number] = TrialRecord(number, params, "complete", values={"accuracy": score})
        hits += [trial.params["width"] in (512, 1024) for trial in list(found.values())[15:]]
    assert np.mean(hits) > 0.4
