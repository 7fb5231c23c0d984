"""Rows that installed packages name, or a process adds, stand beside those of this package and never replace them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.base.plugins import describe, installed
from tuner.base.metric import METRICS, Metric
from tuner.errors import UsageError
from tuner.qpm import HeadMetric, register_metric

PACKAGE = """
from tuner.qpm import HeadMetric, METRICS
assert METRICS["accuracy"].name == "accuracy"
WEIGHT = HeadMetric(name="weight", heading="weight", help="sum of all head weights", unit="",
                    function=lambda head: float(head.weight.sum()))
TAKEN = HeadMetric(name="accuracy", heading="a", help="another accuracy", function=lambda head: 1.0)
SIZE = HeadMetric(name="n_features", heading="a", help="a size of the model", function=lambda head: 1.0)
NUMBER = HeadMetric(name=3, heading="a", help="no name", function=lambda head: 1.0)
NOTHING = 3
"""
ALL_THREE = """
from tuner.data import register_dataset
from tuner.features import register_backbone
from tuner.qpm import METRICS, HeadMetric, register_metric
DATA = register_dataset("toy_data", lambda config: None)
BACKBONE = register_backbone("toy_backbone", lambda config, **_: None)
METRIC = register_metric(HeadMetric(name="toy", heading="t", help="a constant", function=lambda head: 1.0))
NAMED = HeadMetric(name="named", heading="n", help="a constant", function=lambda head: len(METRICS))
assert len(METRICS) > 5
"""
GROUPS = """data = a_package:DATA
[qpm_tuner.backbones]
backbone = a_package:BACKBONE
[qpm_tuner.metrics]
metric = a_package:METRIC
named = a_package:NAMED"""
TWIN = """
from tuner.qpm import HeadMetric, register_metric
TOY = register_metric(HeadMetric(name="toy", heading=__name__, help="a constant", function=lambda head: 1.0))
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
        ("size = a_package:SIZE", "the metric is named n_features, which means something else"),
        ("number = a_package:NUMBER", "the metric name 3 is not valid"),
    ],
)
def test_what_is_wrong_with_a_package_is_told_and_stops_nobody(tmp_path: Path, entry: str, reason: str) -> None:
    code = "from tuner.base.metric import METRICS; print(len(METRICS), METRICS['accuracy'].heading)"
    ran = installed(tmp_path, PACKAGE, METRICS.group, entry, code)
    assert ran.stdout.split() == [str(len(METRICS)), "accuracy"], ran.stderr
    assert "of a_package is ignored" in ran.stderr
    assert reason in ran.stderr


@pytest.mark.parametrize("first", ["DATASETS", "BACKBONES", "METRICS"])
def test_one_module_may_register_rows_of_every_table(tmp_path: Path, first: str) -> None:
    code = (
        "from tuner.base.metric import METRICS\n"
        "from tuner.data.kinds import DATASETS\n"
        "from tuner.features.kinds import BACKBONES\n"
        f"len({first})\n"
        "print(*DATASETS.added(), *BACKBONES.added(), *sorted(METRICS.added()))"
    )
    ran = installed(tmp_path, ALL_THREE, "qpm_tuner.datasets", GROUPS, code)
    assert ran.stdout.split() == ["toy_data", "toy_backbone", "named", "toy"], ran.stderr
    assert not ran.stderr


def test_a_package_can_be_imported_before_its_entries_are_read(tmp_path: Path) -> None:
    code = "import a_package\nfrom tuner.base.metric import METRICS; print(METRICS['toy'] is a_package.TOY)"
    ran = installed(tmp_path, TWIN, METRICS.group, "toy = a_package:TOY", code)
    assert (ran.stdout.split(), ran.stderr) == (["True"], "")


def test_of_two_packages_with_one_name_the_first_by_name_keeps_it(tmp_path: Path) -> None:
    describe(tmp_path, TWIN, METRICS.group, "toy = b_package:TOY", "b_package")
    code = "from tuner.base.metric import METRICS; print(METRICS['toy'].heading, METRICS['toy'].heading)"
    ran = installed(tmp_path, TWIN, METRICS.group, "toy = a_package:TOY", code)
    assert ran.stdout.split() == ["a_package", "a_package"]
    assert ran.stderr.count("is ignored") == 1
    assert "the metric toy of b_package is ignored (b_package:TOY): a_package has a metric toy, too" in ran.stderr


def test_a_package_that_ends_the_process_does_not(tmp_path: Path) -> None:
    code = "from tuner.base.metric import METRICS; print(METRICS['accuracy'].name)"
    ran = installed(tmp_path, "import sys; sys.exit('no licence')", METRICS.group, "toy = a_package:TOY", code)
    assert ran.stdout.split() == ["accuracy"], ran.stderr
    assert "SystemExit: no licence" in ran.stderr


def test_threads_that_ask_while_a_package_is_imported_wait_for_no_lock_in_a_circle(tmp_path: Path) -> None:
    package = "import time; time.sleep(0.5)\nfrom tuner.qpm import METRICS\nlen(METRICS)\n" + TWIN
    code = (
        "import threading, time, tuner.qpm\n"
        "from tuner.base.metric import METRICS\n"
        "other = threading.Thread(target=__import__, args=('a_package',), daemon=True)\n"
        "other.start(); time.sleep(0.1)\n"
        "mine = threading.Thread(target=lambda: print('toy' in METRICS), daemon=True)\n"
        "mine.start(); mine.join(20); other.join(20); print(mine.is_alive() or other.is_alive())"
    )
    ran = installed(tmp_path, package, METRICS.group, "toy = a_package:TOY", code)
    assert ran.stdout.split() == ["True", "False"], ran.stderr


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
