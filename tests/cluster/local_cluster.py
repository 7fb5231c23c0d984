"""A cluster on one machine, as ray_cluster.yaml describes it: a head without CPUs, a node without a GPU, two with one.

Its GPUs are declared, not there: what counts is who gets to hold them. Each node is a raylet, and the parent of the
processes that work on it.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster

HEAD, CPU, GPUS = "head", "cpu", ("gpu-a", "gpu-b")
RESOURCES = {CPU: {"num_cpus": 2}, **{name: {"num_cpus": 1, "num_gpus": 1} for name in GPUS}}
NOT_WORK = ("ray::IDLE", "ray::DashboardAgent", "ray::RuntimeEnvAgent")
MEMORY = 150 * 2**20  # of each object store


@dataclass
class LocalCluster:
    """The cluster: its address, and what has been seen to run on each node.

    Attributes:
        address: for RAY_ADDRESS.
        raylets: process id of each node's raylet.
        seen: names of the tasks and actors that were seen on a node, without what follows their first `-` or `.`.
    """

    address: str
    raylets: dict[str, int]
    seen: dict[str, set[str]] = field(default_factory=dict)

    def look(self) -> None:
        """Add what runs now."""
        for node in self.raylets:
            self.seen.setdefault(node, set()).update(name.partition("-")[0] for name in self.work(node))

    def work(self, node: str) -> list[str]:
        """The names of the tasks and actors that work on a node."""
        return list(self.pids(node))

    def pids(self, node: str) -> dict[str, int]:
        """The processes that work on a node, by the names of their tasks and actors; Ray names processes by them."""
        found = {}
        for threads in Path(f"/proc/{self.raylets[node]}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # ended meanwhile
                for pid in threads.read_text().split():
                    title = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    if title.startswith("ray::") and not title.startswith(NOT_WORK):
                        found[title.removeprefix("ray::").strip()] = int(pid)
        return found

    def where(self, name: str) -> set[str]:
        """The nodes on which work of this name was seen."""
        return {node for node, names in self.seen.items() if name in names}

    def kill(self, node: str) -> None:
        """End a node as a lost machine ends."""
        os.kill(self.raylets[node], signal.SIGKILL)


def has_torch(pid: int) -> bool:
    """Whether a process has loaded torch; what has been loaded stays until it ends."""
    try:
        return "libtorch" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:  # ended meanwhile
        return False


def _in_time(start: Callable[[], Any]) -> Any:
    """Start a node; a machine that is busy gets three attempts, since Ray gives a raylet 30 s."""
    for left in (2, 1, 0):
        try:
            return start()
        except Exception as error:  # Ray raises nothing more specific
            if "timed out during startup" not in str(error) or not left:
                raise
    raise AssertionError("the last attempt returns or raises")


@contextlib.contextmanager
def local_cluster() -> Iterator[LocalCluster]:
    """The four nodes, for a block; they inherit this process's environment, as nodes do that of their set-up."""
    head = {"num_cpus": 0, "num_gpus": 0, "include_dashboard": False, "object_store_memory": MEMORY}
    cluster = _in_time(lambda: Cluster(initialize_head=True, head_node_args=head))
    try:
        nodes = {HEAD: cluster.head_node}
        for name, held in RESOURCES.items():
            node = {"num_gpus": 0, "object_store_memory": MEMORY} | held
            nodes[name] = _in_time(lambda node=node: cluster.add_node(**node))
        raylets = {name: node.all_processes["raylet"][0].process.pid for name, node in nodes.items()}
        yield LocalCluster(cluster.address, raylets)
    finally:
        cluster.shutdown()
