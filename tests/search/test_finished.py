"""A finished search that is run again is told at once; whatever has changed since makes a whole run of it."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest

import jobs
import tuner
from jobs import search
from tests.ledgers import finished, home_with
from tests.searches import TINY, run_tiny, tiny_recipe
from tuner.base.progress import Silent
from tuner.errors import UsageError
from tuner.search.driver import finished as module
from tuner.search.driver.finished import FILE, as_it_stands, remember
from tuner.search.record.events import Baseline, Picked
from tuner.search.record.holder import this_driver
from tuner.search.record.home import SearchHome
from tuner.store import Lease, open_store

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
RECIPE = tiny_recipe("budget.trials=3")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A search that one run has finished, and what that run came to."""
    root = tmp_path_factory.mktemp("finished") / "runs"
    result, _ = run_tiny(root)
    assert as_it_stands(home_at(root), RECIPE) is not None, "the run itself has remembered that it is whole"
    return root, result


@pytest.fixture
def root(run, monkeypatch):
    """Its store, as the run left it, whatever a test does to it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    place, result = run
    remember(home_at(place), result.recipe, result.home.state(result.recipe), mirrored=True)  # a copy has other inodes
    kept = place.with_name("kept")
    subprocess.run(["cp", "-a", place, kept], check=True)
    yield place
    shutil.rmtree(place)
    kept.rename(place)


def home_at(root):
    return SearchHome(open_store(str(root)), "tiny")


def test_what_is_told_is_what_the_run_came_to(run, root):
    _, result = run
    told = as_it_stands(home_at(root), RECIPE)
    assert told.already_complete
    assert told.recipe.to_dict() == result.recipe.to_dict()
    assert told.state == result.home.state(result.recipe)
    assert (told.files, told.tracking) == (result.files, result.tracking)
    assert as_it_stands(home_at(root), None) is not None


def test_the_command_loads_nothing_heavy_and_takes_a_moment(root):
    code = (
        "import sys; from jobs import search; code = search.main(sys.argv[1:]); "
        "print(*({'ray', 'torch', 'mlflow', 'optuna'} & set(sys.modules)), file=sys.stderr); sys.exit(code)"
    )
    words = ["--recipe", "digits", "--store", str(root), "--name", "tiny", "--trials", "3", *TINY]
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, "-c", code, *words]
    place = Path(jobs.__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=place, env=os.environ | {}, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert "search 'tiny' is complete: 3 trials, 3 asked for" in done.stdout
    assert done.stderr.split() == []
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2.0, "0.4 s where this was written"
    assert time.monotonic() - began_s < 10.0, "0.8 s there, on a busy machine"


def of_searches(root, name):
    return root / "searches" / "tiny" / name


def test_so_is_it_from_python(root):
    class Heard(Silent):
        steps: ClassVar[list[str]] = []

        def step(self, what):
            self.steps.append(what)
            return super().step(what)

    again = tuner.run_search(RECIPE, store=root, name="tiny", progress=Heard())
    assert (again.counts(), Heard.steps) == ({"complete": 3}, [])


CHANGES = {
    "no-note": lambda root: of_searches(root, FILE).unlink(),
    "a-note-that-is-no-json": lambda root: of_searches(root, FILE).write_text("{"),
    "no-report": lambda root: of_searches(root, "report.html").unlink(),
    "another-front": lambda root: of_searches(root, "front.json").write_text("{}"),
    "a-choice": lambda root: home_at(root).append(Picked(time.time(), 0, "because")),
    "no-database": lambda root: (root / "mlflow.db").unlink(),
    "another-database": lambda root: os.utime(root / "mlflow.db"),
    "no-artifacts": lambda root: shutil.rmtree(root / "mlartifacts"),
    "a-lost-artifact": lambda root: next(f for f in (root / "mlartifacts").rglob("*") if f.is_file()).unlink(),
    "no-models": lambda root: shutil.rmtree(root / "stages" / "finetune"),
    "no-bank": lambda root: shutil.rmtree(root / "banks"),
    "a-damaged-entry": lambda root: sorted(of_searches(root, "ledger").iterdir())[2].write_text("{"),
    "a-lost-entry": lambda root: sorted(of_searches(root, "ledger").iterdir())[2].unlink(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_has_changed_makes_a_whole_run(change, root):
    assert as_it_stands(home_at(root), RECIPE) is not None
    change(root)
    assert as_it_stands(home_at(root), RECIPE) is None


def test_a_search_that_another_driver_holds_is_left_to_the_lease(root):
    with Lease(open_store(str(root)), "tiny", this_driver()):
        assert as_it_stands(home_at(root), RECIPE) is None
    assert as_it_stands(home_at(root), RECIPE) is not None


@pytest.mark.parametrize(
    "event", [Picked(9e8, 0, "because"), Baseline(9e8, "probe", "", {"accuracy": 90.0})], ids=["pick", "baseline"]
)
def test_what_another_process_records_while_the_report_is_written_is_not_passed_over(event, root):
    home = home_at(root)
    written = home.state(RECIPE)  # what the report of this run shows
    of_searches(root, FILE).unlink()
    home.append(event)
    remember(home, RECIPE, written, mirrored=True)
    assert as_it_stands(home, RECIPE) is None


def test_a_database_that_cannot_be_looked_at_is_not_taken_for_the_same(root):
    (root / "mlflow.db").unlink()
    remember(home_at(root), RECIPE, home_at(root).state(RECIPE), mirrored=True)
    assert as_it_stands(home_at(root), RECIPE) is None


def test_so_does_another_budget_another_version_or_a_server(root, monkeypatch):
    assert as_it_stands(home_at(root), RECIPE, 4) is None
    assert as_it_stands(home_at(root), tiny_recipe("budget.trials=3", "budget.time_limit_s=9")) is None
    with monkeypatch.context() as changed:
        changed.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        assert as_it_stands(home_at(root), RECIPE) is None
    monkeypatch.setattr(module, "__version__", "999")
    assert as_it_stands(home_at(root), RECIPE) is None


def test_another_recipe_is_refused_as_ever(root):
    with pytest.raises(UsageError, match="has changed"):
        as_it_stands(home_at(root), tiny_recipe("budget.trials=3", "dense.epochs=9"))


def test_a_whole_run_fills_a_new_database_and_is_remembered_again(root, capsys):
    (root / "mlflow.db").unlink()
    words = ["--recipe", "digits", "--store", str(root), "--name", "tiny", "--trials", "3", *TINY]
    assert search.main(words) == 0
    assert "loading libraries" in capsys.readouterr().out
    assert search.main(words) == 0
    assert "loading libraries" not in capsys.readouterr().out
    assert b"trial-0002" in (root / "mlflow.db").read_bytes()


@pytest.mark.parametrize("lacks", ["nothing", "mirror", "trials", "tests"])
def test_only_what_is_whole_is_remembered(lacks, tmp_path):
    events = [event for event in finished() if not (lacks == "tests" and event["event"] == "test")]
    home = home_with(tmp_path, events)
    recipe, _ = home.stored()
    recipe.budget.trials = 4 if lacks == "trials" else 3
    remember(home, recipe, home.state(recipe), mirrored=lacks != "mirror")
    written = home.store.stat(home.key(FILE)) is not None
    assert written == (lacks == "nothing")
    if written:
        assert set(json.loads(home.store.get(home.key(FILE)))) >= {"ledger", "recipe", "files", "mlflow"}
