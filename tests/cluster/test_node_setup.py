"""The commands of ray_cluster.yaml, run one by one as `ray up` would over ssh: a head and a worker, both here.

Left out are `apt-get` and `ray stop`, which mean the whole machine. The libraries are borrowed from this
environment, so that pip checks them against requirements/ instead of downloading them. As on real nodes, Ray
listens on all interfaces here, behind its token: on loopback it takes no second node.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ray._private.services import get_node_ip_address

from cluster import down
from cluster.services import LOOPBACK, free_port
from tests.cluster.nodes import CONFIG, ROOT, borrow_libraries

pytestmark = [pytest.mark.long, pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

DRIVER = """
import os, ray, tuner
ray.init(os.environ["ADDRESS"], log_to_driver=False, logging_level="ERROR")
place = ray.remote(lambda: __import__("tuner").__file__)
print(len([node for node in ray.nodes() if node["Alive"]]), tuner.__file__ == ray.get(place.remote()), tuner.__file__)
"""


class Node:
    """A machine as `ray up` sees it: a home, and a shell to run commands in."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.groups: list[int] = []
        self.port, self.dashboard_port = free_port(), free_port()
        self.scratch = Path(tempfile.mkdtemp(prefix="qpm-"))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "AWS_", "MLFLOW_"))}
        self.environment = kept | {
            "HOME": str(home),
            "RAY_HEAD_IP": get_node_ip_address(),
            "RAY_TMPDIR": str(self.scratch),
        }

    def run(self, command: str, **more: str) -> str:
        command = command.replace("6379", str(self.port)).replace("--dashboard-port=8265", self._dashboard())
        log = self.home / "command.log"
        with log.open("wb") as output:
            shell = subprocess.Popen(
                ["bash", "-c", command],
                env=self.environment | more,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.groups.append(shell.pid)
        code, told = shell.wait(timeout=150), log.read_text()
        if code and ("Could not find a version" in told or "connection" in told.lower()) and " pip " in command:
            pytest.skip(f"pip cannot reach a package index here: {told[-300:]}")
        assert code == 0, f"{command}\n{told}"
        return told

    def _dashboard(self) -> str:
        return f"--dashboard-port={self.dashboard_port} --ray-client-server-port={free_port()}"

    def end(self) -> None:
        down.main(["--folder", str(self.home / ".local/state/qpm-tuner")])
        for group in self.groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except ProcessLookupError:
                continue  # nothing of it was left
        shutil.rmtree(self.scratch, ignore_errors=True)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    home = tmp_path / "home"
    home.mkdir()
    shipped = shutil.ignore_patterns(*CONFIG["rsync_exclude"], "*.egg-info", ".*_cache", "__pycache__", ".hypothesis")
    shutil.copytree(ROOT, home / "qpm-tuner", ignore=shipped)
    (home / ".ray").mkdir()
    (home / ".ray" / "auth_token").write_text("0123456789abcdef" * 4)
    provider = {"type": "local", "head_ip": LOOPBACK, "worker_ips": []}
    (home / "ray_bootstrap_config.yaml").write_text(yaml.safe_dump(CONFIG | {"provider": provider}))
    borrow_libraries(home)
    made = Node(home)
    yield made
    made.end()


def test_set_up_and_start_commands_make_a_cluster_of_two_nodes(node: Node) -> None:
    for command in CONFIG["setup_commands"]:
        node.run(command)
    assert (node.home / ".ray" / "auth_token").stat().st_mode & 0o777 == 0o600
    _stop, start_head, start_mlflow = CONFIG["head_start_ray_commands"]
    node.run(start_head)
    node.run(CONFIG["worker_start_ray_commands"][1])
    told = node.run(f". ~/qpm.env && python -c '{DRIVER}'", ADDRESS=f"{node.environment['RAY_HEAD_IP']}:{node.port}")
    assert told.split()[-3:] == ["2", "True", str(node.home / "qpm-tuner" / "tuner" / "__init__.py")]
    listing = f"ray job list --address http://{LOOPBACK}:{node.dashboard_port}"
    refused = node.run(f". ~/qpm.env && RAY_ADDRESS= RAY_AUTH_TOKEN=wrong {listing} || true")
    assert "Invalid authentication token" in refused
    port = free_port()
    node.run(f"{start_mlflow} --mlflow-port {port}")
    assert re.search(r"MLflow +healthy", node.run(". ~/qpm.env && python -m cluster.status"))
