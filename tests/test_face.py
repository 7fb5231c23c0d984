"""`import tuner` as somebody in a notebook uses it: a real tiny search from the start to an exported model."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

import tuner
from tests.exported import written
from tests.ledgers import finished, home_with, trial_events
from tests.searches import WITHOUT_MLFLOW, tiny_recipe
from tuner.base.progress import Silent
from tuner.data.load import load_dataset
from tuner.errors import TunerError, UsageError
from tuner.model import ExportedModel
from tuner.recipe import load_recipe
from tuner.search.search import Search

HEAVY = ("ray", "torch", "optuna", "pandas", "numpy", "mlflow", "rich", "yaml")


def test_importing_is_light_and_names_are_found_when_they_are_used():
    code = f"import sys, tuner; print([m for m in {HEAVY} if m in sys.modules]); print(sorted(dir(tuner)))"
    light, names = subprocess.run(
        [sys.executable, "-c", code], text=True, capture_output=True, check=True
    ).stdout.splitlines()
    assert light == "[]"
    assert names == str(sorted(tuner.__all__))
    assert tuner.load_recipe is load_recipe
    assert tuner.Search is Search
    with pytest.raises(AttributeError, match="'tuner' has no attribute 'serach'"):
        _ = tuner.serach


# -- looking at a search that was made of its ledger


@pytest.fixture
def made_up(tmp_path) -> Search:
    home = home_with(
        tmp_path / "runs",
        [*finished(), *trial_events(3, {}, outcome="failed", stage="dense", cause="<b>no room", model=None)],
    )
    return tuner.open_search(home.store.root, home.name)


def test_trials_are_a_frame_with_the_names_of_optuna(made_up):
    frame = made_up.trials()
    assert list(frame.columns[:4]) == ["number", "state", "duration", "datetime_complete"]
    assert list(frame.number) == [0, 1, 2, 3]
    assert list(frame.state) == ["complete"] * 3 + ["failed"]
    assert list(frame.on_front) == [True] * 3 + [False]
    assert frame.duration[0] == pd.Timedelta(seconds=8)
    assert frame.datetime_complete[0] == pd.Timestamp(108, unit="s", tz="UTC")
    assert list(frame.params_n_features) == [10, 20, 30, 40]
    assert frame.values_accuracy[0] == 96.12345
    assert np.isnan(frame.values_accuracy[3])
    assert frame.errors_accuracy[0] == pytest.approx(1.15, abs=0.01)
    assert frame.test_n_images[0] == 360.0
    assert list(frame.program_status[:3]) == ["optimal", "gap", "deadline"]
    assert (frame.stage[3], frame.cause[3]) == ("dense", "<b>no room")
    assert frame.attrs["objectives"] == {"accuracy": "max", "interpretability": "max"}
    assert frame.attrs["units"]["values_accuracy"] == "%"
    assert frame.attrs["units"]["errors_accuracy"] == "percentage points"
    assert frame.attrs["units"]["values_n_images"] == "images"


def test_every_column_is_documented(made_up):
    from tuner.search import frames

    for column in made_up.trials().columns:
        group = column.partition("_")[0]
        assert column in frames.__doc__ or f"\n{group}_NAME " in frames.__doc__, column


def test_the_front_is_a_frame_best_first_also_for_other_objectives(made_up):
    assert list(made_up.front().number) == [0, 1, 2]
    assert made_up.front().attrs["hypervolume"] == pytest.approx(made_up.status()["hypervolume"])
    sizes = made_up.front(["features_per_class:min", "accuracy"])
    assert list(sizes.params_features_per_class) == sorted(sizes.params_features_per_class)
    assert "values_features_per_class" in sizes
    with pytest.raises(UsageError, match="beauty"):
        made_up.front(["beauty"])


def test_a_search_of_which_nothing_has_ended_has_empty_frames(tmp_path):
    home = home_with(tmp_path / "runs", [])
    search = tuner.open_search(home.store, home.name)
    assert len(search.trials()) == len(search.front()) == 0
    assert "number" in search.trials()
    assert "none has ended" in search._repr_html_()
    with pytest.raises(TunerError, match="no complete trial yet"):
        search.pick()


def test_a_choice_has_its_reason_and_keeps_to_limits(made_up):
    knee = made_up.pick()
    assert (knee.trial, knee.params["n_features"]) == (1, 20)
    assert "knee" in knee.reason == str(knee)
    assert made_up.pick(within={"accuracy": 0.1}).trial == 0
    assert made_up.pick(at_most={"n_features": 10}).trial == 0
    limited = made_up.pick(at_least={"interpretability": 70.0})
    assert limited.trial == 2
    assert "interpretability at least 70" in limited.reason
    assert made_up.pick(at_least={"n_features": 15}, at_most={"n_features": 25}).trial == 1
    assert made_up.pick(within={"accuracy": 1, "interpretability": 10}).trial == 1
    assert made_up.pick(order=["interpretability"]).trial == made_up.pick(trial=2).trial == 2
    assert made_up.pick(aspire={"accuracy": 96, "interpretability": 50}).trial == 0
    assert made_up.pick(weights={"accuracy": 9, "interpretability": 1}, at_most={"n_features": 20}).trial == 1
    assert made_up.pick(knee=True, objectives=["n_features:min"]).trial == 0
    assert (knee.runner_up, [price["trial"] for price in knee.prices]) == (2, [2, 0])
    assert list(made_up.candidates().role) == ["the knee", "the best in accuracy", "the best in interpretability"]
    assert json.loads(json.dumps(knee.to_dict()))["reason"] == knee.reason
    assert made_up.choice(2).trial == 2


def test_a_look_is_not_remembered_and_a_choice_is(made_up):
    made_up.pick()
    assert made_up.picked is None
    made_up.pick(within={"accuracy": 0.1}).remember()
    assert made_up.picked.trial == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda search: search.pick(within={"accuracy": 1, "interpretability": 1}), "nearest is trial 1"),
        (lambda search: search.pick(within={"beauty": 1}), "beauty"),
        (lambda search: search.pick(knee=True, trial=1), "trial and knee are 2 rules"),
        (lambda search: search.pick(order="accuracy"), "a list of texts"),
        (lambda search: search.pick(trial=True), "whole number"),
        (lambda search: search.pick(at_most={"n_features": 1}), "nearest"),
        (lambda search: search.pick(at_least={"accuracy": 99.9}), "loosen"),
        (lambda search: search.pick(at_least={"accuracy": float("nan")}), "finite"),
        (lambda search: search.choice(3), "trial 3 has no model"),
        (lambda search: search.explain("x.png", trial=9), "trial 9 has no model"),
        (lambda search: tuner.open_search(search.store, "other"), "one of made-up"),
        (lambda search: tuner.run_search(store=search.store, name="other"), "a recipe"),
        (lambda search: tuner.run_search(store=search.store, name="other", trials=3), "one of made-up"),
        (lambda search: tuner.run_search("digitz", store=search.store, name="other"), "digits"),
        (lambda search: tuner.run_search(7, store=search.store, name="other"), "type int"),
        (lambda search: tuner.run_search({"a": object()}, store=search.store, name="x"), "not a setting"),
        (lambda search: tuner.run_search({"budgett": {"trials": 3}}, store=search.store, name="x"), "budgett"),
        (lambda search: tuner.run_search("digits", store=search.store, name="x", trials="3"), "whole number"),
        (lambda search: tuner.run_search("digits", store=search.store, name="x", trials=0), "budget.trials=0"),
        (lambda search: tuner.run_search("digits", store=search.store, name="made-up"), "has changed"),
        (lambda search: tuner.run_search("digits", store=search.store, name="x", learn_from="y"), "no search 'y'"),
        (lambda search: search.report(Path(search.store) / "no" / "r.html"), "cannot be written"),
    ],
)
def test_errors_speak_of_arguments(made_up, call, words):
    with pytest.raises(TunerError) as caught:
        call(made_up)
    assert words in str(caught.value)
    assert not re.search(r"(^|\s)--[a-z]", str(caught.value))


def test_what_a_notebook_shows_is_small_escaped_and_has_no_script(made_up, tmp_path):
    choice = made_up.pick()
    choice.params["x"] = "<script>alert(1)</script>"
    for shown in (made_up, choice):
        page = shown._repr_html_()
        assert "<script" not in page
        assert len(page) < 20_000
        assert not re.search(r'(src|href)="(?!data:)', page)
    assert "&lt;script&gt;" in choice._repr_html_()
    assert "<svg" in made_up._repr_html_()
    assert repr(made_up) == f"<Search 'made-up' in {made_up.store}>"
    assert repr(choice) == "<Choice trial 1 of search 'made-up'>"


def test_the_searches_of_a_store_are_listed(made_up, tmp_path):
    assert tuner.list_searches(made_up.store) == ["made-up"]
    assert tuner.list_searches(tmp_path / "empty") == []


# -- a real one


def process() -> tuple[object, ...]:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGUSR2)]
    return dict(os.environ), handlers, sys.excepthook


def levels() -> dict[str, int]:
    known = logging.root.manager.loggerDict.items()
    return {name: logger.level for name, logger in known if isinstance(logger, logging.Logger)}


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Search:
    """A search through the face, in a process that must be the same before and afterwards."""
    import ray

    root = tmp_path_factory.mktemp("face") / "runs"
    recipe = tiny_recipe("budget.trials=9")
    before, logged = process(), levels()
    search = tuner.run_search(recipe, store=root, name="tiny", trials=2, progress=Silent())
    assert process() == before
    assert {name: level for name, level in levels().items() if name in logged} == logged
    assert not ray.is_initialized()
    assert recipe.budget.trials == 9, "the caller's recipe is left alone"
    return search


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_a_search_from_python_ends_with_a_model_that_predicts(real, tmp_path):
    assert real.counts() == {"complete": 2}
    assert not real.interrupted
    assert real.recipe.budget.trials == 2
    choice = real.pick(within={"accuracy": 100.0})
    model = choice.model(device="cpu")
    assert isinstance(model, ExportedModel)
    assert repr(model) == f"<ExportedModel of digits: 10 classes, {choice.params['n_features']} features>"
    assert choice.reason.split(",")[0] in model._repr_html_()
    classes = choice.classes()
    assert classes.attrs["split"] == ("test" if choice.trial in real.front()["number"].tolist() else "validation")
    assert classes["class"].tolist() == [str(digit) for digit in range(10)]
    values = real.trials().set_index("number").loc[choice.trial]
    measured = values["test_accuracy" if classes.attrs["split"] == "test" else "values_accuracy"]
    assert np.average(classes["accuracy"], weights=classes["images"]) == pytest.approx(measured)
    assert (classes["error"] > 0).all()
    stable = choice.stability(device="cpu").set_index("change")
    assert list(stable.index) == ["noise", "jpeg", "mirror"]
    assert (stable["n_images"] == (~load_dataset(real.recipe.data).is_train).sum()).all()
    assert stable[["decision", "evidence", "peaks"]].stack().between(0, 100).all()
    assert stable.decision["jpeg"] > stable.decision["mirror"], "a digit is no mirror image of itself"
    assert choice.export(tmp_path / "picked") == tmp_path / "picked"
    assert real.picked.trial == choice.trial
    with pytest.raises(UsageError, match="not empty"):
        choice.export(tmp_path / "picked")
    assert tuner.load_model(tmp_path / "picked", device="cpu").card["trial"] == choice.trial


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_decisions_are_explained_and_shown(real, tmp_path):
    pictures = load_dataset(real.recipe.data).pictures
    paths = written(tmp_path / "images", [np.asarray(pictures.image(index)) for index in (0, 1)])
    first, second = real.explain(paths)
    alone = real.explain(paths[0])
    assert alone.to_dict() == first.to_dict()
    assert repr(second).startswith("<Prediction '")
    decision = real.explain_classes("3", "8")
    assert "3 against 8" in str(decision)
    for shown in (first, decision):
        page = shown._repr_html_()
        assert page.count("data:image/") >= 3
        assert "<script" not in page
        assert len(page) < 300_000
    assert len(repr(first)) + len(repr(decision)) < 200
    for pair, words in ((("3", "3"), "beside itself"), (("3", "ten"), "unknown")):
        with pytest.raises(UsageError, match=words):
            real.explain_classes(*pair)
    assert "tiny" in real.report(tmp_path / "report.html").read_text()


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_one_search_runs_at_a_time_and_others_can_be_looked_at(real):
    refused = []

    class Impatient(Silent):
        """Starts a second search from another thread, once the trials of the first one run."""

        def live(self, view):
            thread = threading.Thread(target=self.start)
            thread.start()
            thread.join()
            return super().live(view)

        def start(self):
            try:
                tuner.run_search(tiny_recipe(), store=real.store, name="second", trials=1, progress=Silent())
            except UsageError as error:
                refused.append(str(error))
            refused.append(tuner.open_search(real.store, "tiny").counts())

    before = process()
    first = tuner.run_search(
        tiny_recipe(WITHOUT_MLFLOW), store=real.store, name="first", trials=1, progress=Impatient()
    )
    assert "one running search per process" in refused[0]
    assert refused[1]["complete"] >= 2
    assert first.counts() == {"complete": 1}
    assert process() == before
    assert "second" not in tuner.list_searches(real.store)


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_no_images_are_no_predictions_and_one_path_is_no_list(real):
    model = real.pick().model(device="cpu")
    assert real.explain([]) == model.predict([]) == []
    with pytest.raises(UsageError, match="is one path"):
        model.predict("photo.png")
    with pytest.raises(UsageError, match="batch_size=0"):
        model.predict(["photo.png"], batch_size=0)


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_it_is_carried_on_in_the_users_ray_which_is_left_running(real):
    import ray

    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        more = tuner.run_search(store=real.store, name="tiny", trials=3, progress=Silent())
        assert more.counts() == {"complete": 3}
        assert ray.is_initialized()
        assert ray.get(ray.remote(lambda: 7).remote()) == 7
    finally:
        ray.shutdown()


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_ctrl_c_stops_gently_and_the_same_call_carries_on(real, tmp_path):
    class Interrupting(Silent):
        """Presses Ctrl-C once the trials run."""

        def live(self, view):
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
            return super().live(view)

    before = process()
    asked = {"store": real.store, "name": "other"}
    stopped = tuner.run_search(
        tiny_recipe("budget.trials=6", WITHOUT_MLFLOW), **asked, learn_from=real, progress=Interrupting()
    )
    assert stopped.interrupted
    assert process() == before
    ended = sum(stopped.counts().values())
    assert ended < 6
    again = tuner.run_search(**asked, trials=ended + 1, progress=Silent())
    assert sum(again.counts().values()) == ended + 1
    assert not again.interrupted


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_a_notebook_shows_progress_in_one_place_and_the_search_as_html(real):
    code = f"import tuner\nsearch = tuner.run_search(store={real.store!r}, name='tiny', trials=4)\nsearch"
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(code), nbformat.v4.new_code_cell("search.front()")]
    )
    started = time.monotonic()
    NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
    assert time.monotonic() - started < 240
    said = [output for output in notebook.cells[0].outputs if output.output_type == "stream"]
    outputs = [output for output in notebook.cells[0].outputs if output.output_type != "stream"]
    assert [output.output_type for output in outputs] == ["display_data", "execute_result"], "one place for all steps"
    assert all(output.name == "stdout" for output in said), "and what stays to be read"
    assert "expected: 4 trials" in "".join(output.text for output in said)
    assert outputs[0].data == {"text/plain": ""}, "which is empty at the end"
    assert "text/html" in outputs[-1].data
    assert "text/html" in notebook.cells[1].outputs[-1].data


@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_an_interrupted_cell_stops_gently(tmp_path):
    """What the stop button of a notebook does: its front end sends the kernel a SIGINT."""
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        client.execute(
            "import tuner; from tests.searches import WITHOUT_MLFLOW, tiny_recipe\n"
            "recipe = tiny_recipe('budget.trials=4', 'dense.epochs=200', WITHOUT_MLFLOW)\n"
            f"search = tuner.run_search(recipe, store={str(tmp_path)!r}, name='stopped')\n"
            "print('interrupted:', search.interrupted, sum(search.counts().values()) < 4)"
        )
        printed, pressed = "", False
        while "interrupted:" not in printed:
            message = client.get_iopub_msg(timeout=240)
            content = message["content"]
            assert message["msg_type"] != "error", content
            printed += content.get("text", "") if message["msg_type"] == "stream" else ""
            shown = content.get("data", {}).get("text/plain", "") if "display_data" in message["msg_type"] else ""
            if re.search(r"dense \d+/200", shown) and not pressed:
                pressed = True
                manager.interrupt_kernel()
        assert "interrupted: True True" in printed
        assert "finishing 1 running stage" in printed
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
