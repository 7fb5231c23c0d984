"""Rows that installed packages name, or a process adds, stand beside those of this package and never replace them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.base.plugins import installed
from tuner.base.metric import METRICS, Metric
from tuner.errors import UsageError
from tuner.qpm import HeadMetric, register_metric

PACKAGE = """
from tuner.qpm import HeadMetric, METRICS
assert METRICS["accuracy"].name == "accuracy"
WEIGHT = HeadMetric(name="weight", heading="weight", help="sum of all head weights", unit="",
                    function=lambda head: float(head.weight.sum()))
TAKEN = HeadMetric(name="accuracy", heading="a", help="another accuracy", function=lambda head: 1.0)
NOTHING = 3
"""


def toy(name: str, heading: str = "toy") -> HeadMetric:
    return HeadMetric(name=name, heading=heading, help="a constant", unit="", function=lambda _: 1.0)


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    for name in METRICS.added():
        METRICS.remove(name)


@pytest.mark.slow
def test_an_installed_package_names_a_metric_in_its_entry_points(tmp_path: Path) -> None:
    code = (
        "from tuner.base.metric import METRICS, added_metrics\n"
        "from tuner.recipe import load_recipe, objectives_of\n"
        "print(list(METRICS)[-1], added_metrics(), 'torch' in sys.modules)\n"
        "print([o.name for o in objectives_of(load_recipe('digits', ['objectives=[accuracy, weight:min]']))])"
    )
    ran = installed(tmp_path, PACKAGE, METRICS.group, "weight = a_package:WEIGHT", code)
    assert ran.stdout.splitlines() == ["weight {'metrics': {'weight': 1}} False", "['accuracy', 'weight']"], ran.stderr


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ("taken = a_package:TAKEN", "qpm-tuner has a built-in metric accuracy"),
        ("nothing = a_package:NOTHING", "3 is not a metric"),
        ("gone = a_package:GONE", "AttributeError"),
        ("absent = no_such_module:X", "ModuleNotFoundError"),
    ],
)
def test_what_is_wrong_with_a_package_is_told_and_stops_nobody(tmp_path: Path, entry: str, reason: str) -> None:
    code = "from tuner.base.metric import METRICS; print(len(METRICS), METRICS['accuracy'].heading)"
    ran = installed(tmp_path, PACKAGE, METRICS.group, entry, code)
    assert ran.stdout.split() == [str(len(METRICS)), "accuracy"], ran.stderr
    assert "of a_package is ignored" in ran.stderr
    assert reason in ran.stderr


def test_what_comes_with_the_package_is_neither_replaced_nor_removed() -> None:
    with pytest.raises(UsageError, match="qpm-tuner has a built-in metric accuracy"):
        register_metric(toy("accuracy"))
    with pytest.raises(KeyError):
        METRICS.remove("accuracy")


@pytest.mark.parametrize("name", ["", "Toy", "a b", "test/toy", "toy:min", "x" * 65, "1st"])
def test_a_name_that_no_recipe_could_hold_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is not valid"):
        register_metric(toy(name))


def test_something_else_is_refused() -> None:
    with pytest.raises(UsageError, match="3 is not a metric"):
        register_metric(3)  # type: ignore[arg-type]


def test_a_notebook_may_declare_its_row_again() -> None:
    register_metric(toy("toy"))
    again: Metric = register_metric(toy("toy", "second"))
    assert METRICS["toy"] is again
    assert list(METRICS.added()) == ["toy"]
