"""The reference of a recipe's fields says what the check of a recipe takes, no more and no less."""

import math

import pytest

from tuner.errors import UsageError
from tuner.recipe import Field, fields, load_recipe, parse_recipe

FIELDS = fields()
BOUNDED = [field for field in FIELDS if field.low is not None or field.high is not None]


def field(name: str) -> Field:
    return next(field for field in FIELDS if field.name == name)


def test_every_field_says_what_it_is() -> None:
    assert len({field.name for field in FIELDS}) == len(FIELDS)
    assert [field.name for field in FIELDS if not field.meaning] == []
    assert {field.type for field in FIELDS} == {"str", "int", "float", "bool", "list", "dict"}
    assert {field.short for field in FIELDS} == {"", "n_features", "features_per_class", "width", "hidden", "l1"}


@pytest.mark.parametrize(
    ("name", "allowed", "unit"),
    [
        ("adapter.pooling", "one of avg, max, cls, mean_avg, concat_avg, concat_max", ""),
        ("validation_fraction", "0.01 to 0.9", ""),
        ("seed", "0 to 4294967295", ""),
        ("dense.epochs", "1 or more", "epochs"),
        ("assign.deadline_s", "0 or more", "s"),
        ("backbone.image_size", "0 or more", "pixels"),
        ("resources.dense.gpus", "0 or more, or -1", "GPUs"),
        ("title", "", ""),
        ("space", "", ""),
    ],
)
def test_bounds_and_units_in_words(name: str, allowed: str, unit: str) -> None:
    assert (field(name).allowed, field(name).unit) == (allowed, unit)


@pytest.mark.parametrize("bounded", BOUNDED, ids=lambda field: field.name)
def test_a_value_beyond_a_bound_is_refused(bounded: Field) -> None:
    step = 1 if bounded.type == "int" else 1e-3
    for bound, beyond in ((bounded.low, -step), (bounded.high, step)):
        if bound is not None:
            with pytest.raises(UsageError, match=bounded.name):
                parse_recipe("", [f"{bounded.name}={bound + beyond!r}"])


@pytest.mark.parametrize("chosen", [field for field in FIELDS if field.choices], ids=lambda field: field.name)
def test_every_choice_is_taken_and_nothing_else(chosen: Field) -> None:
    needed = {"data.name": ["data.root=somewhere"], "assign.on": ["dense.held_out=0.2"]}.get(chosen.name, [])
    for choice in chosen.choices:
        parse_recipe("", [*needed, f"{chosen.name}={choice}"])
    wrong = 7 if chosen.type == "int" else "nonsense"
    with pytest.raises(UsageError, match=str(chosen.choices[0])):
        parse_recipe("", [f"{chosen.name}={wrong}"])


def test_the_fields_of_a_recipe_have_its_values() -> None:
    found = {field.name: field.default for field in fields(load_recipe("digits"))}
    assert (found["dense.epochs"], found["adapter.width"]) == (10, 48)
    assert math.isclose(found["dense.lr"], 0.003)
