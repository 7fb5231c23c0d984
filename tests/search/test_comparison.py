"""A comparison: means and deviations over seeds, what is best and what cannot be told from it, as text and as JSON."""

import dataclasses
import io
import json
import re

import pytest
from rich.console import Console

from tuner.front.spread import Spread, alike, spread
from tuner.search.outcome.report import baseline_rows
from tuner.search.record.events import Baseline
from tuner.search.record.restoration import replay
from tuner.search.systems.rows import Comparison, Row, Run
from tuner.search.systems.text import comparison_text

COUNTS = {"n_images": 450.0, "n_masked_images": 450.0}


def row(name, title, accuracies, role="system", **fields):
    runs = [Run(s, f"{name}{s}", {"accuracy": a, "correlation": a, **COUNTS}) for s, a in enumerate(accuracies)]
    return Row(name, title, role, runs=tuple(runs), **fields)


ROWS = (
    row("probe", "linear probe 768", [80.0, 80.2, 80.4], published={"accuracy": 87.9}),
    row("qpm", "QPM 50/5", [79.0, 80.5, 81.4], published={"accuracy": 88.3}),
    row("random", "random 50/5", [60.0, 60.2, 60.4], role="control"),
)
COMPARED = Comparison(ROWS, (0, 1, 2), "width 512")


def text(comparison, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(comparison_text(comparison), soft_wrap=True)
    return console.file.getvalue()


def test_the_spread_is_the_sample_deviation():
    assert spread([1.0, 3.0]) == Spread(2.0, pytest.approx(2**0.5), 2)
    assert spread([4.0]) == Spread(4.0, None, 1)


def test_means_are_told_apart_by_welchs_test():
    # by hand: t = 2.0 / sqrt(1/3 + 4/3) = 1.55, 2.9 degrees, p = 0.22
    assert alike(Spread(10.0, 1.0, 3), Spread(12.0, 2.0, 3))
    assert not alike(Spread(10.0, 0.1, 3), Spread(12.0, 0.2, 3))
    assert alike(Spread(10.0, 0.0, 3), Spread(10.0, 0.0, 3))
    assert not alike(Spread(10.0, 0.0, 3), Spread(10.1, 0.0, 3))


def test_single_runs_are_told_apart_by_their_standard_errors_or_not_at_all():
    one, other = Spread(80.0, None, 1), Spread(82.0, None, 1)
    assert alike(one, other, 1.0, 1.0)
    assert not alike(one, other, 0.5, 0.5)
    assert alike(one, other) is None


def test_the_best_and_what_is_not_told_from_it_are_marked():
    assert COMPARED.best("accuracy") == {1}
    assert COMPARED.not_told_from_the_best("accuracy") == {0}
    assert COMPARED.best("correlation") == {2}, "the lowest correlation is the best"
    shown = text(COMPARED)
    assert "80.2 ±0.2≈" in shown
    assert "80.3 ±1.2*" in shown
    assert "60.2 ±0.2 " in shown
    assert "over 3 seeds (0, 1, 2)" in shown


def test_published_figures_stand_below_ours_with_their_source():
    lines = text(COMPARED).splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("QPM"))
    assert lines[place + 1].split() == ["published", "88.3", "–"]
    assert "arXiv 2604.07166" in text(COMPARED)
    assert "arXiv" not in text(Comparison((ROWS[2],), (0, 1, 2)))


def test_a_row_without_runs_is_named_with_its_reason_and_not_in_the_table():
    gone = Row("chiqpm", "CHiQPM 50/5", "system", absent="seed 0: assign infeasible: too few features")
    shown = text(Comparison((*ROWS, gone), (0, 1, 2)))
    assert sum(line.startswith("CHiQPM") for line in shown.splitlines()) == 1
    assert "0 of 3 runs; seed 0: assign infeasible" in shown


def test_missing_values_are_explained():
    with_sid = Row("a", "A 50/5", "system", runs=(Run(0, "k", {"accuracy": 1.0, "sid5": 2.0}),))
    shown = text(Comparison((with_sid, *ROWS), (0,)), 160)
    assert "defined from 5 features per class on" in shown
    assert "the data lack masks" in shown


def test_what_an_older_feature_bank_lacks_is_not_laid_on_the_data():
    shown = " ".join(text(COMPARED, 160).split())
    assert re.search(r"purity: the data lack parts", shown)
    shown = " ".join(text(dataclasses.replace(COMPARED, not_looked_for={"parts": "0123"}), 160).split())
    assert "purity: the feature bank banks/0123 is of an earlier version, which did not look for parts;" in shown
    assert "the data lack parts" not in shown
    assert "the data lack masks" in shown


def test_json_has_every_run_and_the_summary():
    document = json.loads(json.dumps(COMPARED.to_dict(), allow_nan=False))
    qpm = document["rows"][1]
    assert [run["values"]["accuracy"] for run in qpm["runs"]] == [79.0, 80.5, 81.4]
    assert qpm["mean"]["accuracy"] == pytest.approx(80.3)
    assert qpm["sd"]["accuracy"] == pytest.approx(1.2124, abs=1e-4)
    assert "n_images" not in qpm["mean"]
    assert all(run["errors"]["accuracy"] > 0 for run in qpm["runs"])
    assert document["best"]["accuracy"] == ["qpm"]
    assert document["not_told_from_the_best"]["accuracy"] == ["probe"]


def baseline(name, accuracy, **fields):
    return Baseline(9.0, name, "", {"accuracy": accuracy}, **fields)


def test_results_are_kept_by_what_they_are_and_shown_over_seeds():
    events = [
        baseline("linear probe", 70.0),  # of an earlier version
        baseline("linear probe", 71.0),
        *(baseline("QPM 50/5", 80.0 + seed, key=f"key{seed}", seed=seed) for seed in (1, 2, 3)),
        baseline("QPM 50/5", 83.0, key="key3", seed=3),  # measured once more
    ]
    state = replay([event.to_json() for event in events])
    assert [found.identity for found in state.baselines] == ["linear probe", "key1", "key2", "key3"]
    probe, qpm = baseline_rows(state.baselines)
    assert (probe.values["accuracy"], probe.n_runs, dict(probe.deviations)) == (71.0, 1, {})
    assert (qpm.values["accuracy"], qpm.n_runs) == (82.0, 3)
    assert qpm.deviations["accuracy"] == pytest.approx(1.0)
