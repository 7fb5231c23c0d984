"""What the proposer draws is always what a ledger may hold: else a trial would be proposed again for ever."""

import json

import optuna
import pytest

from tuner.recipe import load_recipe
from tuner.search.propose.space import Space
from tuner.search.record.fields import InvalidEventError
from tuner.search.record.possible import Possible

DIMENSIONS = (
    "n_features: {low: 5, high: 30, step: 5}",
    "n_features: {choices: [5, 17, 30]}",
    "features_per_class: {choices: [2, 3, 4]}",
    "features_per_class: {low: 2, high: 4}",
    "width: {low: 40, high: 400, log: true}",
    "hidden: {choices: [16, 32]}",
    "l1: {low: 0.1, high: 3.0, step: 0.1}",
    "l1: {low: 0.0001, high: 3.0, log: true}",
    "l1: {choices: [1, 0.3, 2.5e-7]}",
    "dense.dropout: {low: 0, high: 0.9, step: 0.3}",
    "dense.lr: {low: 1.0e-9, high: 1, log: true}",
    "dense.precision: {choices: [float32, bfloat16]}",
    "adapter.cls_in_batch_norm: {choices: [true, false]}",
    "seed: {low: 0, high: 4294967295}",
)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_whatever_can_be_drawn_is_possible(dimension):
    recipe = load_recipe("digits", [f"space={{{dimension}}}"])
    possible, space = Possible.of(recipe, 10), Space(recipe.space)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(60):
        drawn = space.decode(study.ask(space.distributions).params)
        params = recipe.at(drawn).parameters() | drawn
        assert possible.settled(json.loads(json.dumps(params))) == params
    with pytest.raises(InvalidEventError):
        possible.settled(params | {dimension.partition(":")[0]: -7})
