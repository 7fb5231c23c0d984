"""RAY_ADDRESS without a cluster behind it: told in seconds, by its name, before anything is computed or locked."""

import contextlib
import http.server
import os
import socket
import threading
import time

import pytest
from ray._raylet import node_ip_address_from_perspective

from tests.searches import tiny_recipe
from tuner.base.private import private_temporaries
from tuner.base.progress import Silent
from tuner.errors import TunerError, UsageError
from tuner.search.driver.run import SearchRequest, run_request
from tuner.search.session import address
from tuner.search.session.address import is_on_loopback_only, ray_address, require_cluster
from tuner.search.session.connect import connect_ray
from tuner.store import open_store

LIMIT_S = 15.0


@pytest.fixture
def closed():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return f"127.0.0.1:{port}"


def refused(given):
    """The error for an address, which comes in time."""
    began = time.monotonic()
    with pytest.raises(TunerError) as caught:
        require_cluster(given)
    assert time.monotonic() - began < LIMIT_S
    assert "RAY_ADDRESS" in caught.value.what
    return caught.value


@pytest.mark.parametrize("text", [None, "", "  ", "local", "LOCAL", " Local\n"])
def test_no_address_means_this_machine(text, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if text is not None:
        monkeypatch.setenv("RAY_ADDRESS", text)
    assert ray_address() == "local"


def test_an_address_is_read_without_the_space_around_it(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", " 10.0.0.1:6379\n")
    assert ray_address() == "10.0.0.1:6379"
    monkeypatch.setenv("RAY_ADDRESS", "AUTO")
    assert ray_address() == "auto"


@pytest.mark.parametrize(
    "given",
    [
        *("ray://127.0.0.1:10001", "http://127.0.0.1:8265", "https://x", "somewhere", "somewhere:", ":6379", "a b:1"),
        *("127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:6379/x", "::1:6379", "[::1]", "127.0.0.1:-1", "host:port"),
    ],
)
def test_what_is_no_address_is_refused_with_the_form(given):
    error = refused(given)
    assert isinstance(error, UsageError)
    assert given in error.what
    assert "127.0.0.1:6379" in error.expected
    assert "unset RAY_ADDRESS" in error.todo


def test_a_password_in_it_is_not_shown():
    assert "s3cret" not in str(refused("redis://user:s3cret@127.0.0.1:6379"))


def test_a_port_where_nobody_listens(closed):
    error = refused(closed)
    assert f"{closed}: Connection refused" in error.what
    assert "cluster.up" in error.todo


def test_the_same_in_the_new_form_of_addresses():
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
    if "port" not in locals():
        pytest.skip("this machine has no IPv6")
    assert f"[::1]:{port}: Connection refused" in refused(f"[::1]:{port}").what


@pytest.mark.parametrize("given", ["no-such-host.invalid:6379", "..:6379", "é" * 70 + ":6379"])
def test_a_host_that_nobody_knows(given):
    assert given in refused(given).what


def test_a_name_that_takes_for_ever_to_look_up(monkeypatch):
    monkeypatch.setattr(address, "IN_ALL_S", 0.5)
    monkeypatch.setattr(socket, "create_connection", lambda *_: time.sleep(20))
    assert "no answer within" in refused("slow.example:6379").what


def test_a_port_that_takes_connections_and_says_nothing(monkeypatch):
    monkeypatch.setattr(address, "ANSWER_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = refused(f"127.0.0.1:{silent.getsockname()[1]}")
    assert "not a Ray cluster" in error.what or "does not answer" in error.what


def test_another_service():
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        error = refused(f"127.0.0.1:{web.server_address[1]}")
        web.shutdown()
    assert "not a Ray cluster" in error.what


def test_auto_finds_only_a_cluster_of_ones_own(tmp_path, monkeypatch, closed):
    """Who joins a stranger's cluster runs its code; and everybody may write a folder /tmp/ray."""
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with private_temporaries():  # as in every command
        assert f"finds no cluster here ({tmp_path}/ray/ray_current_cluster: No such file" in refused("auto").what
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    (tmp_path / "ray").mkdir()
    named = tmp_path / "ray" / "ray_current_cluster"
    named.write_bytes(b"\xff\xff")
    assert "finds no cluster" in refused("auto").what
    named.write_text(closed)
    assert closed in refused("auto").what
    if os.getuid() != 0:
        pytest.skip("only root can give a file to another user")
    os.chown(named, 65534, 65534)
    assert "another user's" in refused("auto").what


def test_a_cluster_on_loopback_only_is_told_from_one_that_this_nodes_address_leads_to():
    with socket.create_server(("127.0.0.1", 0)) as alone, socket.create_server(("0.0.0.0", 0)) as open_to_all:
        ports = [server.getsockname()[1] for server in (alone, open_to_all)]
        own = node_ip_address_from_perspective()
        assert is_on_loopback_only(f"127.0.0.1:{ports[0]}") == (own != "127.0.0.1")
        assert not is_on_loopback_only(f"127.0.0.1:{ports[1]}")
        assert not is_on_loopback_only(f"{own if own != '127.0.0.1' else 'elsewhere'}:{ports[1]}")


def test_a_search_is_refused_before_features_and_lease(tmp_path, monkeypatch, closed):
    monkeypatch.setenv("RAY_ADDRESS", closed)
    store = open_store(str(tmp_path / "runs"))
    with pytest.raises(TunerError, match=closed):
        run_request(SearchRequest(store, "tiny", tiny_recipe()), Silent())
    assert list(store.list("")) == []


def test_whatever_else_joins_ray_is_refused_too(monkeypatch, closed):
    monkeypatch.setenv("RAY_ADDRESS", closed)
    with pytest.raises(TunerError, match=closed), connect_ray(tiny_recipe().resources):
        pass
