"""A metric of an installed package is an objective of a search, measured in processes that Ray starts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.base.plugins import describe
from tests.searches import TINY

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(300)]

PACKAGE = """
from tuner.qpm import HeadMetric, register_metric

METRIC = register_metric(HeadMetric(
    name="sharing", heading="sharing", help="classes that share a feature, on average", unit="classes", high=10.0,
    function=lambda head: float((head.weight != 0).sum(0).float().mean()),
))
"""


def test_a_search_optimises_it(tmp_path: Path) -> None:
    describe(tmp_path, PACKAGE, "qpm_tuner.metrics", "sharing = a_package:METRIC")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"}
    search = ["--store", str(tmp_path / "store"), "--name", "shared"]

    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout

    overrides = [*TINY, "budget.trials=2", "tracking.enabled=false", "objectives=[accuracy, sharing]"]
    run("jobs.search", *search, "--recipe", "digits", *overrides)
    front = json.loads(run("jobs.front", *search, "--json"))
    assert list(front["objectives"]) == ["accuracy", "sharing"]
    assert front["members"]
    for member in front["members"]:
        params = member["params"]
        expected = 10 * params["features_per_class"] / params["n_features"]
        assert member["values"]["sharing"] == pytest.approx(expected)
    assert "sharing" in run("jobs.front", *search)
