"""What is shown while trials run: whole numbers at any width, members that stay, one line per event in a log."""

import io
import math
import re
import time

import pytest
from rich.console import Console

from tuner.base import steps
from tuner.base.metric import METRICS
from tuner.base.progress import ConsoleProgress
from tuner.recipe import StageResources, load_recipe, objectives_of
from tuner.search.execute.messages import RunSnapshot
from tuner.search.record.events import Ended, Instructed, Proposed, StageUse
from tuner.search.record.restoration import SearchState, apply
from tuner.search.watch import news
from tuner.search.watch.header import Place, best, header, progress
from tuner.search.watch.news import LONGEST, QUIET_S
from tuner.search.watch.trials_view import TrialsView

PATIENCE_S = 60.0  # on a machine with other things to do
SPACE = (
    "space={n_features: {choices: [20, 30]}, features_per_class: {choices: [4, 5]}, width: {choices: [48]}, "
    "l1: {choices: [0.2796]}}"
)
NUMBERS = ("20", "4", "48", "0.2796", "98.3", "69.5")
PARAMS = {"n_features": 20, "features_per_class": 4, "width": 48, "l1": 0.2796}
PLACE = Place("digits", "s3://bucket/qpm", "http://localhost:5000/#/experiments/1")
NEEDS = {"dense": StageResources(1.0, 1.0), "finetune": StageResources(1.0, 0.25), "assign": StageResources(2.0, 0.0)}


def running(stage="dense", trial=1, **fields):
    return RunSnapshot(**{"stage": stage, "trial": trial, "begun": True, "seconds": 7.0} | fields)


def recipe_of(trials=3, parallel=4):
    objectives = "objectives=[accuracy, interpretability]"
    return load_recipe("digits", [SPACE, objectives, f"budget.trials={trials}", f"budget.parallel={parallel}"])


def end(state, trial, accuracy=98.27, rest=69.51, at_s=1.0, seconds=1.0, **fields):
    """A trial begins and ends."""
    apply(state, Proposed(0.0, trial, PARAMS), 0.0)
    use = StageUse("finetune", f"m{trial}", False, seconds, 0.0)
    values = {"accuracy": accuracy, "interpretability": rest, "n_images": 288.0}
    ended = {"outcome": "complete", "stage": None, "cause": None, "values": values, "model": f"m{trial}"}
    ended |= {"stages": [use.to_json()], "trial": trial, "time_s": at_s, "seconds": seconds}
    apply(state, Ended.from_json(ended | fields), at_s)


def view(stages=(), members=1, **budget):
    """One open trial, and so many on the front."""
    state = SearchState()
    apply(state, Proposed(0.0, members, PARAMS), 0.0)
    for trial in range(members):
        end(state, trial, 98.27 - trial, 69.51 + trial)
    made = TrialsView(state, recipe_of(**budget), lambda: list(stages), PLACE, NEEDS)
    made.refresh()
    return made


def shown(width, stages=(), height=50, **state):
    console = Console(file=io.StringIO(), width=width)
    console.print(view(stages, **state).render(width, height))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [24, 40, 60, 80, 120])
def test_columns_are_dropped_at_any_width_and_digits_never(width):
    stage = running("assign", values={"incumbent": 338.2335, "gap": 0.0123})
    text = shown(width, [stage])
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    row = next(line for line in text.splitlines() if re.match(r" +0 +on the front", line))
    assert set(re.findall(r"[\d.]+", row.replace("±0.8", "").replace("±2.8", ""))) <= {"0", *NUMBERS}
    words = " ".join(text.split())
    for number in re.findall(r"[\d.]+", "338.23 gap 1.2 % 7 s"):
        assert number in words


def test_objectives_stay_longer_than_settings():
    text = shown(60)
    assert "98.3" in text
    assert "69.5" in text
    assert "0.2796" not in text
    assert "not shown in 60 columns" in " ".join(text.split())
    assert all(number in shown(120) for number in NUMBERS)


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("members", [3, 30])
@pytest.mark.parametrize("height", [24, 50])
def test_members_never_scroll_away_and_the_header_stays(width, members, height):
    text = shown(width, [running(trial=members)], height, members=members, trials=40)
    lines = text.splitlines()
    assert len(lines) <= height
    words = " ".join(text.split())
    table, _, also = words.partition("also on the front (with accuracy): ")
    rows = {int(number) for number in re.findall(r"(?:^|\s)(\d+) on the front", table.partition("best so far")[2])}
    named = {int(number) for number in re.findall(r"(\d+) \(", also)}
    assert rows | named == set(range(members))
    assert not rows & named
    assert f"{members} dense 7 s" in words, "what runs is shown, whatever the number of members"
    for told in (
        "search digits: ",
        "objectives accuracy (max), interpretability (max)",
        PLACE.mlflow,
        "--store s3://bucket/qpm --name digits",
    ):
        assert told in words
    assert f"{members}/40 trials" in words
    assert "best so far: accuracy 98.3 ±0.8 % (trial 0)" in words


def test_the_best_of_each_objective_is_named_with_its_trial():
    state = SearchState()
    assert best(state, ()) == ""
    end(state, 3, 90.0, 70.0)
    end(state, 5, 95.0, 60.0)
    axes = view()._objectives
    unit = METRICS["interpretability"].unit
    told = best(state, axes)
    assert told.startswith("best so far: accuracy 95.0 ±1.3 % (trial 5), ")
    assert told.endswith(f"70.0 {unit} (trial 3)")


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (running(done=3, epochs=10), "dense 3/10 7 s"),
        (running("assign", values={"incumbent": -math.inf, "gap": math.nan}), "assign 7 s"),
        (running("assign", values={"incumbent": 338.2335, "gap": math.inf}), "assign 338.23 7 s"),
        (running("assign", values={"incumbent": 338.2335, "gap": 0.0123}), "assign 338.23 gap 1.2 % 7 s"),
        (running("evaluate", begun=False), "evaluate waiting"),
        (running(begun=False), "dense waiting for a GPU"),
        (running("finetune", begun=False), "finetune waiting for 0.25 GPU"),
        (running("assign", begun=False), "assign waiting for 2 CPUs"),
        (running(trial=0, waiting=(0, 1)), "waiting for dense of trial 0"),
        (running(trial=0, waiting=(0,)), "waiting for its turn"),
        (running(elsewhere="lab7 pid 4711 (x, 1)"), "dense run by lab7 pid 4711"),
        (running(waits="waiting for the lock /c/1, held by pid 7"), "dense waiting for the lock /c/1, held by pid 7"),
    ],
)
def test_what_a_trial_does_or_waits_for(run, words):
    assert view([run]).doing(1) == words


@pytest.mark.parametrize(
    ("changes", "held", "told"),
    [
        ([], (2.0, 0.0), "12 s, 2.00 CPU h so far |"),
        (["budget.cpu_hours=8"], (2.0, 0.0), "12 s, 2.00 of 8 CPU h so far |"),
        (["budget.time_limit_s=60"], (1.0, 0.25), "12 s of 60 s, 0.25 GPU h so far |"),
        (["budget.prices={gpu_hour: 4.0, currency: EUR}", "budget.money=5"], (1.0, 0.25), "1.00 of 5 EUR so far |"),
    ],
)
def test_what_has_been_spent_stands_beside_the_time(changes, held, told):
    state, recipe = SearchState(), load_recipe("digits", [SPACE, *changes])
    assert "CPU h" not in progress(state, recipe, 12.0, None), "nothing was spent yet"
    apply(state, Proposed(0.0, 0, PARAMS), 0.0)
    end(state, 0)
    use = StageUse("finetune", "m0", False, 4000.0, 0.0, ran_s=3600.0, cpus=held[0], gpus=held[1])
    state.trials[0].stages = (use,)
    assert told in progress(state, recipe, 12.0, None)


def test_a_paused_search_says_who_paused_it():
    made = view()
    apply(made._state, Instructed(1.0, 1, "pause", {}, "ada@lab7", 1.0, True, "paused"), 1.0)
    assert "paused by ada@lab7" in made.summary()
    assert made.doing(1) == "waiting until the search is resumed"


def test_a_log_gets_the_header_then_one_line_per_event_and_nothing_else(monkeypatch):
    runs = []
    made = view(runs)
    first = made.news()
    assert first[0].startswith("search digits: ")
    assert "1/3 trials" in first[-1]
    assert made.news() == []
    runs.append(running(done=3, epochs=10))
    made.refresh()
    assert made.news() == ["trial 1: dense begins"]
    runs[0] = running(done=4, epochs=10)
    made.refresh()
    assert made.news() == []
    end(made._state, 1, 99.0, 80.0, seconds=41.0)
    (line,) = made.news()
    assert line.startswith("trial 1 complete after 41 s, on the front: accuracy 99.0 ±0.6 %, ")
    apply(made._state, Proposed(0.0, 2, PARAMS), 0.0)
    assert made.news() == ["trial 2 begins: features 20, per class 4, width 48, l1 0.2796"]
    outcome = {"outcome": "failed", "stage": "dense", "cause": "x" * 500, "values": {}, "stages": [], "model": None}
    apply(made._state, Ended.from_json({"trial": 2, "time_s": 2.0, "seconds": 1.0, **outcome}), 2.0)
    (line,) = made.news()
    assert line.startswith("trial 2 failed after 1 s in dense: xxx")
    assert len("2026-11-28 21:30:29 ") + len(line) < 160
    before = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: before + QUIET_S + 1)
    (line,) = made.news()
    assert line.startswith("3/3 trials, 1 failed | ")
    assert line.endswith("trial 1 dense 4/10 7 s")
    assert made.news() == []


def test_a_trial_begins_before_it_ends_and_says_that_nothing_of_it_ran():
    made = view()
    made.news()
    apply(made._state, Proposed(0.0, 2, PARAMS), 0.0)
    apply(made._state, Proposed(0.0, 3, PARAMS), 0.0)
    reused = [StageUse("finetune", "m2", True, 0.0, 9.0).to_json()]
    end(made._state, 2, at_s=3.0, stages=reused)
    lines = made.news()
    assert [line.partition(":")[0] for line in lines] == [
        "trial 2 begins",
        "trial 2 complete, all stages reused, on the front",
        "trial 3 begins",
    ]
    assert lines[1].endswith(" | 2/3 trials | ETA unknown"), "a busy log would never tell it otherwise"


def test_the_log_shows_addresses_whole_and_under_160_columns():
    served = "mlflow server --backend-store-uri sqlite:////home/ada/runs/mlflow.db"
    page = "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning&compareRunsMode=CHART"
    lines = header(Place("digits", "runs", f"{served}, then {page}"), recipe_of(), objectives_of(recipe_of()))
    assert [f"MLflow: start {served}", f"MLflow: {page}"] == lines[2:4]
    assert max(map(len, lines)) < 160 - len("2026-11-28 21:30:29 ")


def test_an_objective_that_is_searched_has_one_column():
    recipe = load_recipe("digits", [SPACE, "objectives=[accuracy, features_per_class]"])
    made = TrialsView(SearchState(), recipe, list, PLACE, NEEDS)
    assert [column.heading for column in made._columns([], set())].count("per class") == 1


def test_a_search_that_is_asked_to_stop_promises_nothing_more():
    asked = False
    made = TrialsView(SearchState(), recipe_of(), list, PLACE, NEEDS, stopping=lambda: asked)
    assert "ETA" in made.summary()
    asked = True
    assert "stopping: running stages come to their end" in made.summary()
    assert "ETA" not in made.summary()
    assert made.ahead() == "0/3 trials | stopping"


def test_a_stage_that_waits_long_is_told_once():
    made = view([running(begun=False, seconds=31.0)])
    assert made.news()[-1] == "trial 1: dense waiting for a GPU"
    assert made.news() == []


def test_what_others_wrote_steers_no_terminal():
    made = view([running(elsewhere="\x1b[2J host")])
    assert "\x1b" not in "".join(made.news())
    assert max(map(len, made.news()), default=0) <= LONGEST + 4
    console = Console(file=io.StringIO(), width=80)
    console.print(made.render(80, 24))
    assert "\x1b" not in console.file.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_is_not_utf8_gets_what_it_can_show(encoding):
    """The console of the commands, `jobs.surroundings.Screen`, replaces what cannot be encoded."""
    from jobs.surroundings import Screen

    raw = io.BytesIO()
    screen = Screen(file=io.TextIOWrapper(raw, encoding=encoding, errors="replace"), width=80)
    screen.print(view([running()], members=3).render(80, 24))
    screen.file.flush()
    assert b"98.3" in raw.getvalue()


def test_a_log_gets_lines_at_once_and_running_stages_are_counted(monkeypatch):
    monkeypatch.setattr(steps, "REFRESH_S", 0.01)
    console = Console(file=io.StringIO(), width=160)
    made = view([running(), running("evaluate", begun=False)])
    with ConsoleProgress(console).live(made):
        while "begins" not in console.file.getvalue():
            time.sleep(0.01)
        lines = console.file.getvalue().count("\n")
        time.sleep(0.1)
        assert console.file.getvalue().count("\n") == lines, "a line per event, not per refresh"
    assert [run.begun for run in made.running].count(True) == 1
    assert "\x1b" not in console.file.getvalue()


@pytest.mark.parametrize("stages", [[running(done=4, epochs=60)], []], ids=["a long stage", "nothing"])
def test_a_log_is_not_silent_for_longer_than_promised(stages, monkeypatch):
    """Within a driver's own loop: a line as soon as nothing has happened for that long, and again after as long."""
    monkeypatch.setattr(steps, "REFRESH_S", 0.01)
    monkeypatch.setattr(news, "QUIET_S", 0.05)
    console = Console(file=io.StringIO(), width=160)
    until = time.monotonic() + PATIENCE_S
    told = r"1/3 trials.* \| trial 1 dense 4/60 7 s" if stages else r"1/3 trials.* \| between stages"
    with ConsoleProgress(console).live(view(stages)):
        while len(re.findall(told, console.file.getvalue())) < 3:
            assert time.monotonic() < until, console.file.getvalue()
            time.sleep(0.01)


def test_what_ends_in_the_last_moment_is_told_too(monkeypatch):
    monkeypatch.setattr(steps, "REFRESH_S", 3600.0)
    console = Console(file=io.StringIO(), width=160)
    with ConsoleProgress(console).live(view([running()])):
        pass
    assert "search " in console.file.getvalue(), "the heading is the first news"
