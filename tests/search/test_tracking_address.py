"""Only an MLflow that the user names is asked: whoever writes to a store could name another, to be sent a token."""

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from jobs import pick
from tests.ledgers import finished, home_with
from tuner.base.progress import ConsoleProgress
from tuner.recipe import TrackingConfig, load_recipe, parse_recipe
from tuner.search.driver.run import SearchRequest, run_request
from tuner.search.record.home import SearchHome
from tuner.search.watch.mirror import not_asked, passed_over, tracking_uri
from tuner.store import open_store

OURS = "http://127.0.0.1:5000"


class Listener(BaseHTTPRequestHandler):
    """Remembers who asked, and finds nothing."""

    seen: list[str | None]

    def do_GET(self) -> None:
        self.seen.append(self.headers.get("Authorization"))
        self.send_response(404)
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str | None]]]:
    """A server of somebody else, and what it was sent."""
    handler = type("Handler", (Listener,), {"seen": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "canary")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield f"http://127.0.0.1:{server.server_address[1]}", handler.seen
    server.shutdown()
    thread.join()
    server.server_close()


def planted(root: Path, address: str, bank: str = "bank") -> SearchHome:
    """A finished search whose recipe.yaml somebody gave another address."""
    home = home_with(root, finished(), "budget.trials=3", "confirm.seeds=1")
    content = yaml.safe_load(home.store.get(home.key("recipe.yaml")))
    content["recipe"]["tracking"]["uri"] = address
    content["bank"] = bank
    home.store.put(home.key("recipe.yaml"), yaml.safe_dump(content, sort_keys=False).encode())
    return home


@pytest.mark.slow
def test_a_stored_address_counts_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for number, address in enumerate(
        [OURS, "databricks", "databricks://them", "sqlite:////home/somebody/x.db", "file:///home/somebody",
         "postgresql://host/db", "plugin://x", "http://a'; rm -rf ~;'", "http://h\u202e"]
    ):  # fmt: skip
        home = planted(tmp_path / str(number), address)
        recipe, _ = home.stored()
        again = parse_recipe(recipe.to_yaml(), ["budget.trials=4"])  # as jobs.search carries on with overrides
        for tracking in (recipe.tracking, again.tracking):
            assert tracking_uri(home, tracking) == f"sqlite:///{tmp_path}/{number}/mlflow.db"
        assert passed_over(home, recipe.tracking) == address
        assert not_asked(address).isascii()
        assert passed_over(home, TrackingConfig(uri=OURS)) == ""


def test_what_the_user_names_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = planted(tmp_path, OURS)
    named = load_recipe("digits", [f"tracking.uri={OURS}"]).tracking
    assert tracking_uri(home, named) == OURS
    for uri, told in ((OURS, ""), (f"{OURS}/", ""), ("http://me:pw@127.0.0.1:5000", ""), ("http://other", OURS)):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert tracking_uri(home, home.stored()[0].tracking) == uri
        assert passed_over(home, home.stored()[0].tracking) == told


def test_an_earlier_recipe_with_a_password_is_read_and_does_not_show_it(tmp_path: Path) -> None:
    home = planted(tmp_path, "http://someone:s3cret@host/?token=s3cret")
    assert home.stored()[0].tracking.uri == ""
    assert "s3cret" not in home.stored_address()


def test_a_pick_is_not_registered_where_nobody_named(tmp_path: Path, stranger, capsys) -> None:
    address, seen = stranger
    planted(tmp_path, address)
    assert pick.main(["--store", str(tmp_path), "--name", "made-up", "--knee", "--register"]) == 2
    told = capsys.readouterr().err
    assert f"--tracking-uri {address}" in told
    assert "your credentials" in told
    assert seen == []


@pytest.mark.slow
def test_a_search_that_is_carried_on_asks_nobody_else(tmp_path: Path, stranger) -> None:
    address, seen = stranger
    store = open_store(str(tmp_path / "runs"))
    (tmp_path / "bank").mkdir()
    (tmp_path / "bank" / "x").write_text("x")
    planted(tmp_path / "runs", address).artifacts.publish("banks", "bank", tmp_path / "bank", {})
    console = Console(file=io.StringIO(), width=300)
    result = run_request(SearchRequest(store, "made-up"), ConsoleProgress(console))
    assert not result.interrupted
    assert address not in result.tracking
    assert f"add tracking.uri={address}" in console.file.getvalue()  # type: ignore[attr-defined]
    assert seen == []
    assert (tmp_path / "runs" / "mlflow.db").exists()
