"""Where a search is to be seen in MLflow: kept for `status`, never trusted, and a pick is marked there at once."""

import json
import shutil
from pathlib import Path

import pytest

from jobs import pick, status
from tests.ledgers import finished, home_with
from tests.tracking.ledgers import look
from tuner.recipe import TrackingConfig
from tuner.search.record.home import SearchHome
from tuner.search.watch.mirror import PLACE, place_document, shown_place, stored_place
from tuner.tracking.connection import connect
from tuner.tracking.database import sqlite_uri
from tuner.tracking.view import runs_page

SERVER = "http://127.0.0.1:5000"
LINK = f"{SERVER}/{runs_page('1')}"


@pytest.fixture(autouse=True)
def no_tracking_uri(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def home(tmp_path) -> SearchHome:
    return home_with(tmp_path / "runs", finished())


def address(home):
    return ["--store", home.store.url, "--name", home.name]


def test_status_prints_the_link_that_the_driver_kept(home, capsys):
    assert stored_place(home) == ""
    home.store.put(home.key(PLACE), place_document(LINK))
    assert status.main(address(home)) == 0
    assert f"MLflow: {LINK}" in capsys.readouterr().out
    assert status.main([*address(home), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mlflow"] == LINK


@pytest.mark.parametrize("content", [b"no json", b"[]", b'{"url": 3}', b"{}", b'{"url": "' + b"x" * 20_000 + b'"}'])
def test_what_others_left_there_is_not_shown(home, content, capsys):
    home.store.put(home.key(PLACE), content)
    assert stored_place(home) == ""
    assert status.main(address(home)) == 0
    assert "MLflow:" not in capsys.readouterr().out


def test_no_password_and_no_control_character_is_shown(home):
    home.store.put(home.key(PLACE), place_document("http://ana:s3cret@host:5000/\x1b[31m#/experiments/1"))
    assert "s3cret" not in stored_place(home)
    assert "\x1b" not in stored_place(home)


@pytest.mark.parametrize(
    ("stored", "is_shown"), [(LINK, True), ("http://127.0.0.1:5000.evil.example/#/x", False), ("", False)]
)
def test_a_command_that_names_its_mlflow_shows_no_other(home, stored, is_shown):
    home.store.put(home.key(PLACE), place_document(stored))
    assert shown_place(home, TrackingConfig(uri=SERVER)) == (stored if is_shown else SERVER)


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "mlflow.db"
    connect(sqlite_uri(path)).search_experiments()
    return path


@pytest.mark.slow
def test_a_choice_is_marked_in_mlflow_at_once(home, template, tmp_path, capsys):
    uri = sqlite_uri(Path(shutil.copy(template, tmp_path / "runs" / "mlflow.db")))
    for arguments, chosen in ((["--knee"], 1), (["--within", "0.1", "accuracy"], 0)):
        assert pick.main([*address(home), *arguments, "--choose"]) == 0
        runs = look(uri, "made-up")
        assert {name for name, run in runs.items() if "picked" in run.data.tags} == {f"trial-000{chosen}"}
        assert runs["search"].data.tags["pick"] == f"trial-000{chosen}"
        assert runs["search"].data.tags["pick_reason"] in capsys.readouterr().out
        assert runs["search"].info.status == "RUNNING", "the search may be running, and is not ended by a pick"


def test_a_choice_of_a_search_that_mlflow_does_not_have_makes_no_database(home, tmp_path):
    assert pick.main([*address(home), "--knee", "--choose"]) == 0
    assert not (tmp_path / "runs" / "mlflow.db").exists()
