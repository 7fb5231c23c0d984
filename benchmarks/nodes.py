"""How well a search fills three nodes: python -m benchmarks.nodes [--trials 36] [--sleep 2]

Stages sleep, so one machine can play three nodes of two CPUs each. Efficiency is the time on one node over three times
the time on three nodes; the start of Ray is outside the clock, that of its workers inside.
"""

import argparse
import os
import tempfile
from pathlib import Path

import ray
from ray.cluster_utils import Cluster

from benchmarks.empty_stages import prepare, recipe_of, run
from benchmarks.machine import keep
from tuner.search.session.connect import ENVIRONMENT
from tuner.store import open_store

CPUS = 2


def search_on(nodes: int, trials: int, sleep_s: float, folder: Path) -> float:
    """Seconds of a search on a fresh cluster of so many nodes."""
    recipe = recipe_of(trials, CPUS * nodes, tracking=False)
    home, bank = prepare(open_store(str(folder)), recipe)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": CPUS, "include_dashboard": False})
    try:
        for _ in range(nodes - 1):
            cluster.add_node(num_cpus=CPUS)
        os.environ["RAY_ADDRESS"] = cluster.address
        ray.init(cluster.address, log_to_driver=False)
        cluster.wait_for_nodes()
        return run(home, recipe, bank, sleep_s)[0]
    finally:
        ray.shutdown()
        del os.environ["RAY_ADDRESS"]
        cluster.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=36)
    parser.add_argument("--sleep", type=float, default=2.0, help="seconds each of a trial's four stages sleeps")
    options = parser.parse_args()
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with tempfile.TemporaryDirectory() as name:
        os.environ["QPM_TUNER_CACHE"] = str(Path(name) / "cache")
        seconds = {n: search_on(n, options.trials, options.sleep, Path(name) / str(n)) for n in (1, 3)}
    efficiency = seconds[1] / (3 * seconds[3])
    print(f"one node {seconds[1]:.1f} s, three nodes {seconds[3]:.1f} s: efficiency {efficiency:.1%} (asked: 85 %)")
    figures = {"trials": options.trials, "sleep_s": options.sleep, "seconds": seconds, "efficiency": efficiency}
    print("kept in", keep("nodes", figures))


if __name__ == "__main__":
    main()
