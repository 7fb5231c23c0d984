"""Safe by default: a search on one's own machine listens on loopback only, and keys are in no command line."""

import ipaddress

import psutil
import pytest
from ray.tune.execution import class_cache

from tests.drivers import start, wait_until
from tuner.search.session.connect import keep_keys_private

__all__ = ["start"]

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(300)]


def listening(pid):
    """Addresses on which a process and those it started listen."""
    family = {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
    sockets = psutil.net_connections("tcp")
    return [socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN and socket.pid in family]


def is_loopback(ip):
    address = ipaddress.ip_address(ip)
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def test_nothing_listens_beyond_loopback(tmp_path, start, monkeypatch):
    for name in ("RAY_ADDRESS", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    driver = start(tmp_path)
    wait_until(lambda: any(tmp_path.glob("stages/dense/*/manifest.json")), driver)
    addresses = listening(driver.pid)
    assert len(addresses) > 3  # Ray's control store, its node's daemon, the workers
    assert [ip for ip in addresses if not is_loopback(ip)] == []


def test_tune_passes_no_key_on_in_a_command_line(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret")
    keep_keys_private()
    actor = class_cache._ActorClassCache().get(type("Trainable", (), {}))
    assert "s3cret" not in str(actor._default_options)
    assert "PL_DISABLE_FORK" in str(actor._default_options), "what Tune does propagate is in these options"
