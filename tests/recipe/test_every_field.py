"""Every field with every odd value: refused in three parts, or kept as it is through all that needs no data."""

import random
from collections.abc import Iterator

import optuna
import pytest
import yaml

from tuner.errors import UsageError
from tuner.recipe import Recipe, describe_fields, objectives_of, parse_recipe
from tuner.recipe.schema import SHORT_NAMES
from tuner.search.execute.plan import plan
from tuner.search.propose.proposer import Proposer
from tuner.search.propose.space import Space
from tuner.search.session.precision import settle_precision

ODD = (
    "2026-11-25", "2026-11-25T10:00:00Z", "2026-13-45", "12:30", "190:20:30", "true", "yes", "On", "n", "", " ", "''",
    '""', "null", "~", "Null", "[]", "[a]", "[[a]]", "[[[]]]", "{}", "{a: b}", "{a: {b: [c]}}", "[{}]",
    "{choices: []}", "nan", ".nan", "-.inf", "inf", "1e999", "-1", "-0", "-1e-9", "0", "0.5", "1", "2", "1e308",
    "5e-324", "1e3", "1e15", "9007199254740991", "9007199254740993", "9" * 400, "0x" + "f" * 300, "0o17", "0b1",
    "017", "1_000", "1,5", "1.0", "é", "日本", "\u202e", "\u2028", "\ufeff", "\x1b[31m", "\x07", "\t", "\r", "\n",
    "a\nb", "\0", "\ud800", "\U0010ffff", "a=b", "#", "a # b", ":", "a: b", "a:", "- a", "? a", "'", '"', "'a", "%",
    "@", "`", "|", ">", "!!int 3", "!!set {a}", "!!python/object/apply:os.system [x]", "!!binary aGk=", "!x", "&a",
    "*a", "&a [*a]", "<<", "{<<: {a: b}}", "=", "---", "...", "${oc.env:HOME}", "${a.b}", "%(HOME)s", "$HOME",
    "{{x}}", "../..", "~root", "http://h/x", "s3://b/k", "C:\\x", "a" * 5000, "[" * 5000, "{" * 5000,
    "[" + "a," * 20000 + "]", "accuracy", "[accuracy]", "[accuracy:min]", "[accuracy:max:min]",
    "[n_features, n_features:max]", "[2026-11-25]", "[accuracy, 2]", "auto", "float32", "random",
)  # fmt: skip
DIMENSIONS = (
    "{low: 1, high: 1000000000000}", "{low: 0, high: 1, step: 1e-12}", "{low: 1e-300, high: 1e300, log: true}",
    "{low: 0, high: 1e308}", "{low: 5e-324, high: 1}", "{low: 1, high: 2, step: 1e-300}",
    "{low: 0.1, high: 0.9, step: 0.1}", "{low: 0, high: 0.5}", "{low: 0, high: 9007199254740991}",
    "{low: 1, high: 9007199254740991, log: true}", "{low: 2, high: 4294967295, step: 3}",
    "{low: 1, high: 1e15, step: 7}", "{low: nan, high: inf}", "{low: [], high: {}}",
    "{low: 2026-11-25, high: 2026-11-26}", "{low: 1, high: 2, log: 2026-11-25}", "{low: 1, high: 2, step: 0}",
    "{low: 1, high: 2, step: null}", "{low: 2, high: 1}", "{low: 1, high: 1}", "{choices: {}}", "{choices: [[]]}",
    "{choices: [1]}", "{choices: [1, 1.0]}", "{choices: [0.1, 1e308, 5e-324]}", "{choices: [8, 4, 2]}",
    "{choices: [2, 4, 8]}", "{choices: [1, 9007199254740991]}", "{choices: [true, false]}", "{choices: [yes, no]}",
    "{choices: [null]}", "{choices: [float32, bfloat16]}", "{choices: [released, paper]}", "{choices: [avg, 'avg']}",
    "{choices: [gelu]}", "{choices: [" + ", ".join(map(str, range(2, 4500))) + "]}",
    "{choices: [" + ", ".join(map(str, range(2, 3500))) + "]}",
)  # fmt: skip
PATHS = [path for path, _, _ in describe_fields()]
GROUPS = sorted({path.rpartition(".")[0] for path in PATHS} - {""})


def written(path: str, value: str) -> str:
    """YAML that sets a field by nesting."""
    *groups, last = path.split(".")
    return "".join(f"{group}: {{" for group in groups) + f"{last}: {value}" + "}" * len(groups)


def inputs(path: str, value: str) -> Iterator[tuple[str, list[str]]]:
    """The value as an override and as text in a file, plain and in quotes."""
    yield "", [f"{path}={value}"]
    yield written(path, value), []
    quoted = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=10**6).strip()
    yield written(path, quoted), []


def survives(text: str, overrides: list[str]) -> bool:
    """Whether it is accepted; then it is the same in a file, and good for all that follows."""
    try:
        recipe = parse_recipe(text, overrides)
    except UsageError as refused:
        return tells(refused)
    assert parse_recipe(recipe.to_yaml()) == recipe
    lives_on(recipe)
    return True


def tells(refused: UsageError) -> bool:
    assert all(refused.args)
    assert len(str(refused)) < 4000
    return False


def lives_on(recipe: Recipe) -> None:
    objectives_of(recipe)
    space = Space(recipe.space)
    point = space.decode(optuna.create_study().ask(space.distributions).params)
    stages = plan(settle_precision(recipe.at(point)), "bank")
    assert len({stage.key for stage in stages}) == len(stages)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.mark.parametrize("path", [*PATHS, *GROUPS])
def test_every_field_keeps_or_refuses_odd_values(path: str) -> None:
    """A tenth of them each, in turn: fields of one type read alike, and each type has many fields."""
    draw = random.Random(path)
    for value in draw.sample(ODD, len(ODD) // 10):
        survives(*draw.choice(list(inputs(path, value))))


@pytest.mark.slow
@pytest.mark.parametrize("path", ["seed", "dense.lr", "dense", "objectives", "space"])
def test_every_kind_of_field_keeps_or_refuses_every_odd_value(path: str) -> None:
    for value in ODD:
        survives("", [f"{path}={value}"])


@pytest.mark.parametrize("path", [path for path in PATHS if path.partition(".")[0] not in ("data", "budget")])
def test_every_dimension_is_searched_or_refused(path: str) -> None:
    draw = random.Random(path)
    for value in DIMENSIONS if path in ("assign.n_features", "dense.lr") else draw.sample(DIMENSIONS, 4):
        survives(f"space: {{{path}: {value}}}", [])
        survives("", [f"space.{path}={value}"])


def test_a_huge_space_without_a_feasible_point_is_given_up_soon() -> None:
    """Counting its points one by one would take the machine's memory, or years."""
    huge = "space={n_features: {low: 1, high: 1000000000000}, features_per_class: {choices: [1, 2]}}"
    recipe = parse_recipe("", [huge, "width=1"])
    assert Proposer(recipe, n_classes=1000).propose(0, {}) is None


def test_many_odd_things_at_once() -> None:
    draw = random.Random(0)
    for _ in range(100):
        names = draw.sample([*PATHS, *SHORT_NAMES, *GROUPS, *(f"space.{path}" for path in PATHS)], 3)
        survives("", [f"{name}={draw.choice(ODD + DIMENSIONS)}" for name in names])
