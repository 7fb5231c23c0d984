"""A search on a cluster that grows: python -m tests.cluster.fake_nodes STORE, inside namespaces of its own.

The real autoscaler, with Ray's provider of fake nodes, each a raylet on this machine. The head has no CPU for stages.
Prints the CPUs of the nodes that were there in the end. Ray ends fake nodes by the names of their processes, and they
look for the head at port 6379: hence a PID and a network namespace. What it starts ends with the first.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import ray

from cluster.services import LOOPBACK
from tests.cluster.namespaces import bring_up_loopback
from tests.drivers import command

WORKERS = 2
PORT = 6379
HEAD, WORKER = "ray.head.default", "worker"  # the provider knows the head by this name
CONFIG = {
    "cluster_name": "fake",
    "provider": {"type": "fake_multinode", "disable_node_updaters": True},
    "max_workers": WORKERS,
    "head_node_type": HEAD,
    "available_node_types": {
        HEAD: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        WORKER: {
            "resources": {"CPU": 1, "object_store_memory": 100 * 2**20},
            "node_config": {},
            "min_workers": 0,
            "max_workers": WORKERS,
        },
    },
    "upscaling_speed": 1.0,
    "idle_timeout_minutes": 10,
    "auth": {},
    "docker": {},
    "file_mounts": {},
    "cluster_synced_files": [],
    "file_mounts_sync_continuously": False,
    "rsync_exclude": [],
    "rsync_filter": [],
    **dict.fromkeys(("initialization_commands", "setup_commands", "head_setup_commands"), ()),
    **dict.fromkeys(("worker_setup_commands", "head_start_ray_commands", "worker_start_ray_commands"), ()),
}


def main() -> int:
    bring_up_loopback()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "cluster.json"
        config.write_text(json.dumps(CONFIG))
        start = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", f"--port={PORT}", "--num-cpus=0"]
        start += [f"--autoscaling-config={config}", "--include-dashboard=false", "--disable-usage-stats"]
        faked = {"RAY_FAKE_CLUSTER": "1", "AUTOSCALER_UPDATE_INTERVAL_S": "1"}
        subprocess.run(start, env=os.environ | faked, check=True)
        address = f"{LOOPBACK}:{PORT}"
        code = subprocess.run(command(sys.argv[1]), env=os.environ | {"RAY_ADDRESS": address}, check=False).returncode
        ray.init(address, log_to_driver=False)  # the autoscaler would write after what we print
        print(json.dumps([node["Resources"].get("CPU", 0) for node in ray.nodes()]))
    return code


if __name__ == "__main__":
    sys.exit(main())
