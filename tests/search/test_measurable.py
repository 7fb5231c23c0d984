"""An objective that the data or the sizes cannot give is refused by what is missing, before anything is computed."""

import dataclasses

import numpy as np
import pytest

from tests.searches import tiny_recipe
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import UsageError
from tuner.features.registry import make_backbone
from tuner.qpm.metrics.table import METRICS
from tuner.recipe import objectives_of
from tuner.search.driver.adapter_check import refuse_unfit
from tuner.search.driver.objective_check import refuse_unmeasurable

BARE = ("plausibility", "plausibility_undilated", "pointing", "structural_grounding", "attribute_alignment", "purity")
NO_GOALS = ("mask_share", "exact_zeros")


@pytest.fixture(scope="module")
def digits():
    return load_dataset(DataConfig())


@pytest.fixture(scope="module")
def bare(digits):
    """The digits without masks."""
    return dataclasses.replace(digits, has_mask=np.zeros_like(digits.has_mask))


@pytest.mark.parametrize("name", BARE)
def test_what_needs_masks_or_attributes_is_refused_without_them(bare, name):
    with pytest.raises(UsageError, match=f"{name} needs (masks|class attributes|image attributes|parts)") as error:
        refuse_unmeasurable(tiny_recipe(f"objectives=[accuracy, {name}]"), bare)
    advised = error.value.todo.rpartition("or set '")[2].removesuffix("'")
    refuse_unmeasurable(tiny_recipe(advised), bare)


def test_all_others_need_nothing_of_the_data(bare):
    others = [name for name, one in METRICS.items() if not (one.data_needs or one.no_goal) and name != "sid5"]
    assert "interpretability" in others  # of the parts that apply
    refuse_unmeasurable(tiny_recipe(f"objectives=[{', '.join(others)}]"), bare)
    refuse_unmeasurable(tiny_recipe("objectives=[features_per_class:min]"), bare)


def test_with_masks_and_attributes_everything_can_be_measured(digits):
    rich = dataclasses.replace(
        digits,
        class_attributes=np.ones((10, 3), np.float32),
        image_attributes=np.ones((len(digits), 3), np.int8),
        parts=np.ones((len(digits), 2, 3), np.float32),
    )
    refuse_unmeasurable(tiny_recipe(f"objectives=[{', '.join(BARE)}]"), rich)
    half = dataclasses.replace(rich, image_attributes=None)
    with pytest.raises(UsageError, match="image attributes"):
        refuse_unmeasurable(tiny_recipe("objectives=[attribute_alignment]"), half)


@pytest.mark.parametrize("name", NO_GOALS)
def test_what_describes_the_data_is_no_goal(digits, name):
    recipe = tiny_recipe(f"objectives=[accuracy, {name}]")  # a search of an earlier version may have it, and is shown
    assert objectives_of(recipe)[1].name == name
    with pytest.raises(UsageError, match=f"objective {name} is no goal") as error:
        refuse_unmeasurable(recipe, digits)
    assert "accuracy" in error.value.expected


def test_questions_of_two_classes_need_two(digits):
    recipe = tiny_recipe("objectives=[auroc]")
    with pytest.raises(UsageError, match="auroc needs a choice between two classes"):
        refuse_unmeasurable(recipe, digits)
    refuse_unmeasurable(recipe, dataclasses.replace(digits, class_names=("odd", "even")))


@pytest.mark.parametrize(("protocol", "side"), [("validation", True), ("paper", False)])
def test_masks_count_where_the_objective_is_measured(digits, protocol, side):
    recipe = tiny_recipe("objectives=[plausibility]", f"protocol={protocol}")
    refuse_unmeasurable(recipe, dataclasses.replace(digits, has_mask=digits.is_train == side))
    with pytest.raises(UsageError, match=r"none among the images that are measured \(\d+ of 1797"):
        refuse_unmeasurable(recipe, dataclasses.replace(digits, has_mask=digits.is_train != side))


def test_sid5_asks_for_five_features_per_class_in_every_trial(digits):
    for sizes in ("{choices: [2, 3]}", "{choices: [3, 5]}", "{low: 4, high: 6}"):
        recipe = tiny_recipe("objectives=[accuracy, sid5]", f"space.features_per_class={sizes}")
        with pytest.raises(UsageError, match="sid5 has no value below 5 features per class"):
            refuse_unmeasurable(recipe, digits)
    refuse_unmeasurable(tiny_recipe("objectives=[sid5]", "space.features_per_class={choices: [5, 6]}"), digits)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["adapter.pooling=cls"], "pooling cls on tokens without CLS"),
        (["space.adapter.pooling={choices: [avg, mean_avg]}"], "pooling mean_avg on tokens without CLS"),
        (["adapter.residual=true"], "adds tokens of 128 numbers to 24 features"),
        (["adapter.residual=true", "space.width={choices: [128, 64]}"], "adds tokens of 128 numbers to 64 features"),
    ],
)
def test_an_adapter_that_the_tokens_do_not_allow_is_refused(overrides, named):
    recipe = tiny_recipe(*overrides)
    with pytest.raises(UsageError, match=named) as error:
        refuse_unfit(recipe, make_backbone(recipe.backbone, "digits"))
    assert "adapter." in error.value.todo


def test_an_adapter_that_fits_is_not():
    recipe = tiny_recipe("adapter.residual=true", "space.width={choices: [128]}", "adapter.pooling=max")
    refuse_unfit(recipe, make_backbone(recipe.backbone, "digits"))


def test_a_constraint_on_what_the_data_do_not_have_is_refused(digits, bare):
    recipe = tiny_recipe("objectives=[accuracy]", "constraints=[plausibility >= 20, accuracy >= 3]")
    refuse_unmeasurable(recipe, digits)
    with pytest.raises(UsageError, match="constraint on plausibility needs masks") as error:
        refuse_unmeasurable(recipe, bare)
    assert "drop the constraint" in error.value.todo
