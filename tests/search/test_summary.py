"""What is said of many trials at once: causes and clocks grouped, nothing of what nobody measured."""

import io

from rich.console import Console

from tests.ledgers import COUNTS, PROGRAMS, finished, home_with, trial_events
from tuner.base.progress import Silent
from tuner.search.outcome.report import report_page
from tuner.search.watch.front_table import front_table
from tuner.search.watch.summary import status_text

START = {"event": "search", "time_s": 99.0, "recipe": {}, "versions": {}}


def told(home, width=200):
    console = Console(file=io.StringIO(), width=width)
    console.print(status_text(home), soft_wrap=True)
    return console.file.getvalue()


def test_trials_that_failed_alike_share_a_line(tmp_path):
    events = [START]
    for number in range(12):
        cause, stage = ("no [room]", "dense") if number else ("its coordinator died", None)
        events += trial_events(number, {}, outcome="failed", stage=stage, cause=cause, model=None)
    lines = told(home_with(tmp_path, events)).splitlines()
    assert "  trial 0 failed: its coordinator died" in lines
    assert "  trials 1, 2, 3, 4, 5, 6, 7, 8 and 3 more failed in dense: no [room]" in lines
    assert sum(line.startswith("  trial") for line in lines) == 2


def test_programs_that_the_clock_stopped_alike_share_a_line(tmp_path):
    values = {"accuracy": 90.0, "interpretability": 60.0} | COUNTS
    events = [START, *(e for n in range(3) for e in trial_events(n, values, program=PROGRAMS[2]))]
    said = told(home_with(tmp_path, events))
    assert said.count("stopped by the clock, gap 1.3 %") == 1
    assert "the program of trials 0, 1 and 2 was stopped by the clock, gap 1.3 %" in said


def test_a_size_has_no_column_of_the_test_split(tmp_path):
    objectives = "objectives=[accuracy, n_features:min]"
    said = told(home_with(tmp_path, finished(("accuracy",)), objectives))
    assert "test accuracy" in said
    assert "test features" not in said


def test_where_no_trial_has_an_objective_it_is_named_and_the_report_is_written(tmp_path):
    events = [START, *(e for n in range(2) for e in trial_events(n, {"accuracy": 90.0} | COUNTS))]
    home = home_with(tmp_path, events)
    console = Console(file=io.StringIO(), width=200)
    console.print(front_table(home.front(), home.state()), soft_wrap=True)
    said = "none of the 2 complete trials has a value of interpretability, so no front"
    assert console.file.getvalue().strip() == said
    assert "made-up" in report_page(home, Silent())


def test_a_report_ranks_by_sizes_too(tmp_path):
    home = home_with(tmp_path, finished(("accuracy",)), "objectives=[accuracy, features_per_class:min]")
    assert "1 is on the front of accuracy and features per class" in report_page(home, Silent())
