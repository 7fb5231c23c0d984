"""A Ray of our own is the user's alone: its folder, its token, its ports; and nothing of it is left behind."""

import ipaddress
import os
import stat
import subprocess
from pathlib import Path

import psutil
import pytest
import ray

from tests.searches import tiny_recipe
from tuner.errors import TunerError
from tuner.search.session.address import require_cluster
from tuner.search.session.connect import connect_ray
from tuner.search.session.environment import read_environment_again

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(300)]

OPEN = "s3cret-of-another-cluster"


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A running Ray, and the environment before and during it: what a user has set for a cluster, and an open umask."""
    patch, home = pytest.MonkeyPatch(), tmp_path_factory.mktemp("home")
    for name in ("RAY_ADDRESS", "RAY_AUTH_TOKEN_PATH", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_TMPDIR"):
        patch.delenv(name, raising=False)
    for name, value in {"HOME": str(home), "RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": OPEN}.items():
        patch.setenv(name, value)
    umask = os.umask(0)
    others.update(family())
    before = dict(os.environ)
    with connect_ray(tiny_recipe().resources):
        os.umask(umask)
        yield {"folder": session().parent, "home": home, "token": os.environ["RAY_AUTH_TOKEN_PATH"]}
    changed = {name for name, _ in set(os.environ.items()) ^ set(before.items())}
    assert changed <= {"PYTEST_CURRENT_TEST"}
    assert not session_folder.exists()
    patch.undo()
    read_environment_again()


session_folder = Path()
others: set[psutil.Process] = set()  # servers of other tests


def session():
    """Ray's session folder."""
    global session_folder  # noqa: PLW0603  looked for once Ray has gone
    session_folder = Path(ray._private.worker._global_node.get_session_dir_path())
    return session_folder


def family():
    return [process for process in psutil.Process().children(recursive=True) if process not in others]


def test_nobody_else_gets_to_its_folder_or_token(started):
    assert stat.S_IMODE(started["folder"].parent.stat().st_mode) == 0o700
    token = Path(started["token"])
    assert token.parent == started["folder"]
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert not (started["home"] / ".ray").exists(), "Ray's own token file can be read by everybody"
    if os.getuid() != 0:
        pytest.skip("only root can act as another user; the modes were checked")
    script = f"cat {token}; ls {started['folder']}; cd {started['folder']}; cat /proc/{os.getpid()}/environ"
    other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", script]
    done = subprocess.run(other, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.stderr.count("ermission denied") + done.stderr.count("can't cd") == 4


def test_its_sockets_are_in_that_folder_and_its_ports_on_loopback(started):
    for process in family():
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                address = ipaddress.ip_address(connection.laddr.ip)
                assert (getattr(address, "ipv4_mapped", None) or address).is_loopback, process.name()
        for connection in process.net_connections("unix"):
            if connection.laddr and not connection.laddr.startswith("@"):
                assert Path(connection.laddr).is_relative_to(started["folder"])


def test_no_process_list_and_no_open_file_shows_a_secret(started):
    token = Path(started["token"]).read_text()
    for process in family():
        line = " ".join(process.cmdline())
        assert token not in line
        assert OPEN not in line
        for link in Path(f"/proc/{process.pid}/fd").iterdir():
            try:
                if str(link.readlink()).startswith("/dev/shm/"):
                    assert stat.S_IMODE(link.stat().st_mode) & 0o077 == 0
            except FileNotFoundError:  # closed meanwhile
                continue
    logs = [path for path in started["folder"].rglob("*") if path.is_file() and path != Path(started["token"])]
    assert [path for path in logs if token.encode() in path.read_bytes()] == []


def test_workers_are_let_in_and_keep_their_files_in_a_private_folder(started):
    @ray.remote
    def place():
        import tempfile

        return tempfile.gettempdir()

    assert stat.S_IMODE(Path(ray.get(place.remote())).parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("mode", "token", "told"),
    [("token", "0" * 64, "wrong"), ("disabled", "", "missing"), ("token", "", "token")],
)
def test_a_cluster_that_does_not_let_us_in_is_told_at_once(started, mode, token, told, monkeypatch, tmp_path):
    address = ray._private.worker._global_node.gcs_address
    assert require_cluster(address) == address
    monkeypatch.setenv("RAY_AUTH_MODE", mode)
    monkeypatch.setenv("RAY_AUTH_TOKEN", token)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH")
    with pytest.raises(TunerError, match=f"{address}.*refuses access.*{told}") as caught:
        require_cluster(address)
    assert "RAY_AUTH_TOKEN_PATH" in caught.value.expected
    monkeypatch.undo()
    require_cluster(address)
