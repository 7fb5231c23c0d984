"""A value is what its field says: texts arrive as typed, numbers are numbers, and nothing else gets through."""

import dataclasses

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tuner.errors import TunerError, UsageError
from tuner.recipe import Recipe, describe_fields, load_recipe, parse_recipe, reading
from tuner.recipe.schema import lookup, walk

ODD = (
    "set #2", "no", "on", "2024_10", "2024-01-01", "12:30", "010", "0x10", "photos, new", "a: b", "null", "~", "~/x",
    "[x]", "{a}", "[", "{", "'quoted'", '"', "", " ", " x ", "1e-3", "1e400", ".inf", ".nan", "inf", "nan", "-1", "-0",
    "1.5", "1_000", "9" * 400, "true", "yes", "&a [*a]", "*a", "!!python/object:os.system x", "!x y", "<<", "=", "- x",
    "? x", "%", "@", "`", "|", ">", "#", "${oc.env:HOME}", "${a}", "$HOME", "a=b", "\t", "\n", "é", "\udcff", "\0",
    "\ufeff", "\u2028",
)  # fmt: skip
TEXTS = [
    path
    for path, _, info in walk(Recipe())
    if info.type is str and info.metadata.get("choices") is None and path != "budget.prices.currency"
]
OTHERS = ("budget.trials", "dense.lr", "tracking.enabled", "assign.variant", "dense", "objectives", "space", "space.l1")


def tried(override: str, text: str = "") -> Recipe | None:
    """The recipe, or None where it is refused in three parts; anything else is a defect."""
    try:
        return parse_recipe(text, [override] if override else ())
    except TunerError as error:
        return None if all(error.args) else pytest.fail("a part is missing")


@pytest.mark.parametrize("text", ODD)
def test_odd_values_are_taken_as_typed_or_refused_in_every_field(text):
    for path in (*TEXTS, *OTHERS):
        recipe = tried(f"{path}={text}")
        if path in TEXTS:
            no_text = text in ("\0", "\udcff") or (path == "tracking.uri" and "@" in text)
            assert no_text == (recipe is None)
        if recipe is not None:
            assert path in OTHERS or lookup(recipe, path) == text
            assert parse_recipe(recipe.to_yaml()) == recipe


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(key=st.sampled_from([path for path, _, _ in describe_fields()]), text=st.text(max_size=20))
@example(key="space.l1", text="{low: {}, high: []}")
def test_any_text_is_taken_as_typed_or_refused(key, text):
    recipe = tried(f"{key}={text}")
    if recipe is not None and key in TEXTS:
        assert lookup(recipe, key) == text


LEAVES = st.none() | st.booleans() | st.floats() | st.text(max_size=8)
INNER = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.text(max_size=8), INNER, max_size=3))
def test_any_mapping_as_recipe_space_or_dimension_is_refused_or_works(tree):
    for text in (tree, {"space": tree}, {"space": {"l1": tree}}, {"objectives": list(tree.values())}, {"dense": tree}):
        tried("", yaml.safe_dump(text, allow_unicode=True))


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("dense.lr=1e-3", 0.001),
        ("dense.lr=1E-3", 0.001),
        ("dense.lr=.5", 0.5),
        ("dense.lr=2", 2.0),
        ("dense.lr= 0.1 ", 0.1),
        ("budget.trials=1e2", 100),
        ("budget.trials=1.0", 1),
        ("budget.trials=010", 10),
        ("budget.trials=0x10", 16),
        ("budget.trials=+8", 8),
        ("seed=-0", 0),
        ("tracking.enabled=no", False),
        ("tracking.enabled=ON", True),
        ("assign.locality_bias=on", "on"),
    ],
)
def test_numbers_and_words_have_the_type_of_their_field(override, value):
    found = lookup(load_recipe("digits", [override]), override.partition("=")[0])
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "override",
    [
        "budget.trials=1.5", "budget.trials=1_000", "budget.trials=12:30", "budget.trials=true", "budget.trials=inf",
        "budget.trials=null", "budget.trials=", "budget.trials=[3]", "budget.trials=0b1", "seed=1e30",
        "dense.lr=nan", "dense.lr=.inf", "dense.lr=1e400", "dense.lr=0,1", "dense.lr=1e", "dense.lr=yes", "dense.lr=",
        "tracking.enabled=maybe", "tracking.enabled=2", "tracking.enabled=", "dense={epochs: [1]}", "dense=[epochs]",
        "dense={epochs: 1, epochs: 2}", "dense.epochs.x=1", "data.root.x=1", "objectives=accuracy", "objectives={a: b}",
        "objectives=[[accuracy]]", "objectives=[accuracy, n_features: min]", "objectives=[null]",
        "objectives=['accuracy:']", "objectives=[]", "objectives=[accuracy, accuracy]", ".x=1", "space.=1", "=1", "x",
        "seed=4294967296",
    ],
)  # fmt: skip
def test_values_of_another_kind_are_refused(override):
    assert tried(override) is None


def test_a_minus_zero_is_a_zero_so_that_equal_recipes_have_equal_keys():
    assert str(load_recipe("digits", ["dense.l1=-0.0"]).dense.l1) == "0.0"


@pytest.mark.parametrize("written", ["2026-11-25", "010", "no", "12:30", "1e-3", "2024_10", "0x10", "'null'", "'~'"])
def test_in_a_file_too_a_text_is_what_was_written(written):
    recipe = parse_recipe(f"title: {written}\ndata: {{root: {written}, masks: }}\nassign: {{locality_bias: off}}")
    assert recipe.title == recipe.data.root == written.strip("'")
    assert recipe.data.masks == ""
    assert recipe.assign.locality_bias == "off"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: null", "quotes"),
        ("data: {root: ~}", "quotes"),
        ("data: {root: [a]}", "single value"),
        ("data: {root: !env HOME}", "single value"),
        ("budget: {trials: 3}\nbudget: {trials: 4}", "sets budget twice"),
        ("dense: &a {epochs: 3}\nfinetune: *a", "no aliases"),
        ("title: x\n  y: [", "in line 2"),
        ("? [a]\n: b", "names as keys"),
        ("a: 1\n---\nb: 2", "another document"),
        ("title: x\ndense: 3", "dense=3"),
        ("just a text", "holds a single value"),
    ],
)
def test_a_file_that_says_something_else_is_refused_where_it_does(text, said):
    with pytest.raises(UsageError, match=said):
        parse_recipe(text)


def test_what_a_recipe_says_of_the_environment_stays_a_text(monkeypatch):
    monkeypatch.setenv("SECRET", "canary")
    text = "${oc.env:SECRET} ${seed} $SECRET"
    assert load_recipe("digits", [f"title={text}"]).title == text
    assert parse_recipe(f"title: '{text}'").title == text


def test_what_is_nested_too_deeply_is_refused():
    for text in ("[" * 1000, "{a: " * 400):
        assert tried(f"space={text}") is None
        assert tried("", text) is None


def test_groups_are_merged_to_their_last_setting():
    recipe = load_recipe("cub", ["resources={dense: {cpus: 8}}", "resources.dense.cpus=4"])
    assert dataclasses.asdict(recipe.resources.dense) == {"cpus": 4.0, "gpus": 0.5, "timeout_s": -1.0}


def test_a_recipe_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("title: Vögel".encode("latin-1"))
    (tmp_path / "bom.yaml").write_bytes("\ufefftitle: Vögel".encode())
    with pytest.raises(UsageError, match="UTF-8"):
        load_recipe(str(tmp_path / "latin.yaml"))
    assert load_recipe(str(tmp_path / "bom.yaml")).title == "Vögel"
    for name in ("a\0b", str(tmp_path), "~nobody-of-this-name/x.yaml"):
        with pytest.raises(UsageError):
            load_recipe(name)


def test_a_switch_of_an_earlier_version_may_be_off_but_not_on(monkeypatch):
    monkeypatch.setitem(reading.RETIRED, "dense.magic", "there is none")
    assert load_recipe("digits", ["dense.magic=false"]) == load_recipe("digits")
    assert parse_recipe("dense: {magic: off, epochs: 3}").dense.epochs == 3
    for override, text in (("dense.magic=true", ""), ("", "dense: {magic: true}"), ("", "dense: {magic: [no]}")):
        assert tried(override, text) is None


def test_a_slip_is_answered_with_the_whole_name():
    with pytest.raises(UsageError, match=r"did you mean 'data.test_fraction'"):
        load_recipe("digits", ["test_fractoin=0.5"])
    with pytest.raises(UsageError, match="did you mean 'n_features'"):
        load_recipe("digits", ["nfeatures=5"])


@pytest.mark.parametrize(
    ("override", "text", "todo"),
    [
        ("dense={epochs:3}", "", "a blank after the colon"),
        ("space.width={low:3, high:4}", "", "a blank after the colon"),
        ("epochs=3", "", "'dense.epochs' or 'finetune.epochs'"),
        ("dense.epoch=3", "", "'dense.epochs'"),
        ("dense.hidden=3", "", "did you mean 'hidden'"),
        ("space.dense={lr: {choices: [1]}}", "", "space.dense.NAME"),
        ("objectives=", "", "[accuracy, n_features:min]"),
        ("objectives=sid5", "", "[sid5]"),
        ("data={root: /x/set #2}", "", "in quotes"),
        ("", "dense:\n\tepochs: 3", "instead of tabs"),
        ("", "n_features: 5", "assign: {n_features: ..}"),
        ("", "data.root: /x", "data: {root: ..}"),
        ("", "resources.dense.cpus: 1", "resources: {dense: {cpus: ..}}"),
        ("", "space.width: {choices: [1]}", "space: {width: ..}"),
        ("", "dense:", "or drop it"),
    ],
)
def test_what_to_do_is_what_helps(override, text, todo):
    with pytest.raises(UsageError) as error:
        parse_recipe(text, [override] if override else ())
    assert todo in error.value.todo
