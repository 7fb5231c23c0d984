"""Presets that do better than published do as published under `protocol=paper`, unless they are asked not to."""

import pytest

from tuner.recipe import load_recipe


@pytest.mark.parametrize("preset", ["cub50", "cub"])
@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        ([], (0.2, "held_out")),
        (["protocol=paper"], (0.0, "train")),
        (["seed=1", "protocol=paper"], (0.0, "train")),
        (["protocol=paper", "assign.on=held_out", "dense.held_out=0.1"], (0.1, "held_out")),
        (["dense={held_out: 0.3}", "assign={on: held_out}", "protocol=paper"], (0.3, "held_out")),
    ],
)
def test_the_table_rests_on(preset, overrides, found):
    recipe = load_recipe(preset, overrides)
    assert (recipe.dense.held_out, recipe.assign.on) == found


def test_a_recipe_of_ones_own_is_taken_as_it_is(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text('data: {name: digits}\ndense: {held_out: 0.2}\nassign: {"on": held_out}\n')
    assert load_recipe(str(file), ["protocol=paper"]).dense.held_out == 0.2
