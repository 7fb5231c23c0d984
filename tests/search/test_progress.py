"""What is shown while trials run: whole numbers at any width, the program's gap, short lines in a log."""

import io
import math
import re

import pytest
from rich.console import Console

from tuner.base import steps
from tuner.base.progress import ConsoleProgress
from tuner.front.pareto import Objective
from tuner.search.execute.messages import RunSnapshot
from tuner.search.record.events import Ended, Proposed
from tuner.search.record.restoration import SearchState, apply
from tuner.search.watch.trials_view import TrialsView

SEARCHED = ("n_features", "features_per_class", "width", "l1")
OBJECTIVES = (Objective("accuracy", "max", 0.0, 100.0), Objective("interpretability", "max", 0.0, 100.0))
NUMBERS = ("20", "4", "48", "0.2796", "98.27", "69.51")


def running(stage="dense", **fields):
    return RunSnapshot(**{"stage": stage, "trial": 1, "begun": True, "seconds": 7.0} | fields)


def view(stages=()):
    state = SearchState()
    params = {"n_features": 20, "features_per_class": 4, "width": 48, "l1": 0.2796}
    values = {"accuracy": 98.27, "interpretability": 69.51}
    ended = {"outcome": "complete", "stage": None, "cause": None, "values": values, "stages": [], "model": "m"}
    for trial in (0, 1):
        apply(state, Proposed(0.0, trial, params), 0.0)
    apply(state, Ended.from_json({"trial": 0, "time_s": 1.0, "seconds": 1.0, **ended}), 1.0)
    made = TrialsView(state, OBJECTIVES, 3, SEARCHED, lambda: list(stages))
    made._running = list(stages)
    return made


def shown(width, stages=()):
    console = Console(file=io.StringIO(), width=width)
    console.print(view(stages).render(width))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120])
def test_columns_are_dropped_at_any_width_and_digits_never(width):
    stage = running("assign", values={"incumbent": 338.2335, "gap": 0.0123})
    text = shown(width, [stage])
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    row = next(line for line in text.splitlines() if "on the front" in line)
    assert set(re.findall(r"[\d.]+", row)) <= {"0", *NUMBERS}
    words = " ".join(text.split())
    for number in re.findall(r"[\d.]+", "338.23 gap 1.2 % 7 s"):
        assert number in words


def test_objectives_stay_longer_than_settings():
    text = shown(60)
    assert "98.27" in text
    assert "69.51" in text
    assert "0.2796" not in text
    assert "not shown in 60 columns" in " ".join(text.split())
    assert all(number in shown(120) for number in NUMBERS)


def test_a_stage_shows_its_epoch_the_programs_gap_or_that_it_waits():
    stages = [
        running(done=3, epochs=10),
        running("assign", values={"incumbent": -math.inf, "gap": math.nan}),
        running("assign", values={"incumbent": 338.2335, "gap": math.inf}),
        running("assign", values={"incumbent": 338.2335, "gap": 0.0123}),
        running("evaluate", begun=False),
    ]
    line = view(stages).line()
    assert "1/3 trials | front 1" in line
    said = ["dense 3/10 7 s", "assign 7 s", "assign 338.23 7 s", "assign 338.23 gap 1.2 % 7 s", "evaluate waiting"]
    assert line.endswith(", ".join(f"trial 1 {words}" for words in said))


def test_a_log_repeats_the_summary_only_when_it_is_news():
    made = view([running()])
    assert "trials" in made.line()
    assert made.line() == "trial 1 dense 7 s"
    apply(made._state, Proposed(0.0, 2, {}), 0.0)
    outcome = {"outcome": "failed", "stage": "dense", "cause": "x", "values": {}, "stages": [], "model": None}
    apply(made._state, Ended.from_json({"trial": 2, "time_s": 2.0, "seconds": 1.0, **outcome}), 2.0)
    assert "2/3 trials, 1 failed" in made.line()


def test_a_log_gets_a_line_at_once_and_running_stages_are_counted(monkeypatch):
    monkeypatch.setattr(steps, "REFRESH_S", 0.01)
    console = Console(file=io.StringIO(), width=160)
    made = view([running(), running(begun=False)])
    with ConsoleProgress(console).live(made):
        while not console.file.getvalue():
            pass
    assert [run.begun for run in made.running].count(True) == 1
    assert console.file.getvalue().count("\n") == 1


def test_a_stage_that_waits_for_a_lock_says_whose():
    stage = running(waits="waiting for the lock /c/.locks/1, held by pid 7 (python), which is stopped")
    assert (
        "trial 1 dense waiting for the lock /c/.locks/1, held by pid 7 (python), which is stopped"
        in view([stage]).line()
    )
