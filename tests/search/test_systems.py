"""Systems: each is the stages that its name says, at sizes that the data allow, or absent with the reason."""

import dataclasses
import subprocess
import sys

import pytest

from tests.searches import tiny_recipe
from tuner.data.settings import DataConfig
from tuner.errors import UsageError
from tuner.recipe import load_recipe
from tuner.search.execute.plan import plan
from tuner.search.systems.collecting import planned, seeds_from
from tuner.search.systems.published import published
from tuner.search.systems.system import Tokens
from tuner.search.systems.table import BESIDE_A_FRONT, SYSTEMS, chosen

BIRDS = Tokens("bank", 200, 768, has_cls=True)
DIGITS = Tokens("bank", 10, 128, has_cls=False)
PRECISE = ("dense.precision=float32", "finetune.precision=float32")


def recipe_of(*overrides, width=512):
    return load_recipe("digits", [*PRECISE, "space={n_features: {choices: [20]}}", f"width={width}", *overrides])


def keys(name, recipe, tokens=BIRDS, seed=0):
    return {spec.stage: spec.key for spec in SYSTEMS[name].stages(recipe, tokens, seed)}


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_is_measured_on_test_and_a_seed_repeats_all_of_it(name):
    stages = SYSTEMS[name].stages(recipe_of(), BIRDS, 0)
    assert stages[-1].stage == "evaluate"
    assert stages[-1].settings["held_out"] == "test"
    assert stages[-1].settings["model"] == stages[-2].stage
    again = SYSTEMS[name].stages(recipe_of(), BIRDS, 1)
    assert not {spec.key for spec in stages} & {spec.key for spec in again}, "something is shared between seeds"
    assert all(a.settings["split"] == b.settings["split"] for a, b in zip(stages, again, strict=True))


def test_no_two_systems_are_the_same_and_they_share_what_is():
    evaluations = [keys(name, recipe_of())["evaluate"] for name in SYSTEMS]
    assert len(set(evaluations)) == len(SYSTEMS)
    dense = {name: keys(name, recipe_of()).get("dense") for name in ("dense", "qpm", "random", "compact", "chiqpm")}
    assert len(set(dense.values())) == 1


def test_a_system_is_a_trial_of_the_same_settings():
    recipe = recipe_of()
    trial = dataclasses.replace(recipe.at({"n_features": 50, "features_per_class": 5}), seed=3)
    assert {spec.key for spec in plan(trial, "bank")[:3]} <= set(keys("qpm", recipe, seed=3).values())


def test_names_of_systems_are_known_without_torch():
    code = "import sys; from tuner.search.systems.table import SYSTEMS; print('torch' in sys.modules, *SYSTEMS)"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert told.split() == ["False", *SYSTEMS]


def test_controls_differ_in_the_assignment_only():
    for name in ("random", "random_compact"):
        drawn, solved = SYSTEMS[name], SYSTEMS[SYSTEMS[name].control_of]
        assert drawn.selects == solved.selects
        one, other = drawn.of(recipe_of(), BIRDS), solved.of(recipe_of(), BIRDS)
        assert one.assign == dataclasses.replace(other.assign, control="random")
        assert dataclasses.replace(one, assign=other.assign) == other


def test_published_methods_are_as_published_whatever_the_trials_do():
    for program in ("assign.control=random", "assign.forced_pairs=3"):
        ours = recipe_of("dense.held_out=0.3", "assign.on=held_out", program)
        assert [keys(name, ours) for name in SYSTEMS] == [keys(name, recipe_of()) for name in SYSTEMS]


def test_held_out_is_qpm_but_for_the_images_of_its_program():
    plain, ours = (SYSTEMS[name].of(recipe_of(), BIRDS) for name in ("qpm", "qpm_held_out"))
    assert (ours.dense.held_out, ours.assign.on) == (0.2, "held_out")
    dense = dataclasses.replace(ours.dense, held_out=0.0)
    assert dataclasses.replace(ours, dense=dense, assign=plain.assign) == plain
    assert ours.assign == dataclasses.replace(plain.assign, on="held_out")


def test_compact_takes_four_features_and_chiqpm_half_as_many_pairs_as_classes():
    assert SYSTEMS["compact"].of(recipe_of(), BIRDS).assign.features_per_class == 4
    assert SYSTEMS["chiqpm"].of(recipe_of(), BIRDS).assign.forced_pairs == 100
    assert SYSTEMS["qpm"].of(recipe_of(), BIRDS).assign.forced_pairs == 0


@pytest.mark.parametrize(
    ("width", "tokens", "title", "said"),
    [
        (512, BIRDS, "QPM 50/5", ""),
        (40, BIRDS, "QPM 40/5", "40 features instead of 50: adapter.width=40"),
        (512, Tokens("bank", 4, 8, has_cls=True), "QPM 20/5", "4 classes of 5 features use no more"),
    ],
)
def test_sizes_adapt_and_say_so(width, tokens, title, said):
    row = planned(SYSTEMS["qpm"], recipe_of(width=width), tokens).row
    assert row.title == title
    assert row.absent == ""
    assert (said in row.remark) == (row.remark != "" or not said)
    assert row.remark.endswith(said)


def test_what_cannot_be_had_is_absent_with_its_reason():
    narrow = recipe_of("n_features=3", "features_per_class=2", "space={l1: {choices: [1.0]}}", width=3)
    row = planned(SYSTEMS["qpm"], narrow, BIRDS).row
    assert "features_per_class = 5 is above n_features = 3" in row.absent
    assert planned(SYSTEMS["dense"], narrow, BIRDS).row.absent == ""


def test_the_probe_says_which_token_it_reads():
    assert planned(SYSTEMS["probe"], recipe_of(), DIGITS).row.remark == "on the mean token, as this backbone has no CLS"
    assert planned(SYSTEMS["probe"], recipe_of(), BIRDS).row.remark == ""
    assert planned(SYSTEMS["probe"], recipe_of(), BIRDS).row.title == "linear probe 768"


def test_systems_are_chosen_by_name_in_the_order_of_the_table():
    assert [system.name for system in chosen(["qpm", "probe"], ())] == ["probe", "qpm"]
    assert [system.name for system in chosen([], BESIDE_A_FRONT)] == list(BESIDE_A_FRONT)
    with pytest.raises(UsageError, match="did you mean 'compact'"):
        chosen(["compct"], ())


@pytest.mark.parametrize("n", [0, -1, 101, 2.5, True, "3"])
def test_a_number_of_seeds_is_one(n):
    with pytest.raises(UsageError, match="from 1 to 100"):
        seeds_from(0, n)


def test_seeds_follow_the_recipe():
    assert seeds_from(5, 3) == (5, 6, 7)
    with pytest.raises(UsageError, match="lower seed"):
        seeds_from(2**32 - 2, 3)


def test_published_figures_stand_beside_the_same_data_only():
    assert published("qpm", "cub")["plausibility"] == 95.0
    assert "plausibility" not in published("qpm", "cars")
    assert "sid5" not in published("compact", "cub"), "it is not defined there"
    assert published("qpm", "digits") == published("random", "cub") == {}
    assert published("qpm", "cub", all_classes=False) == {}, "they are those of all 200 classes"
    birds = dataclasses.replace(tiny_recipe(*PRECISE), data=DataConfig(name="cub"))
    assert planned(SYSTEMS["probe"], birds, BIRDS).row.published["accuracy"] == 87.9
