"""A search on a cluster that grows: python -m tests.cluster.fake_nodes STORE, inside namespaces of its own.

The real autoscaler, with Ray's provider of fake nodes, each a raylet on this machine. At the start there is the head
alone, without CPUs; a node may come with a GPU (declared, not there), and one without, as in ray_cluster.yaml. Prints
CPUs and GPUs of the nodes that were there in the end. Ray ends fake nodes by the names of their processes, and they
look for the head at port 6379: hence a PID and a network namespace. What it starts ends with the first.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import ray

from cluster.services import LOOPBACK
from tests.cluster.namespaces import bring_up_loopback
from tests.drivers import SLOWER, command
from tuner.search.session.gpu_share import VARIABLE

PORT = 6379
HEAD = "ray.head.default"  # the provider knows the head by this name
PRECISE = ("dense.precision=float32", "finetune.precision=float32")  # `auto` is bfloat16 for stages with a GPU


def worker(**resources: float) -> dict[str, Any]:
    """A type of node that the autoscaler may start once."""
    held = {"CPU": 1, "object_store_memory": 100 * 2**20, **resources}
    return {"resources": held, "node_config": {}, "min_workers": 0, "max_workers": 1}


CONFIG = {
    "cluster_name": "fake",
    "provider": {"type": "fake_multinode", "disable_node_updaters": True},
    "max_workers": 2,
    "head_node_type": HEAD,
    "available_node_types": {
        HEAD: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
        "cpu": worker(),
        "gpu": worker(GPU=1),
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
        ours = {"RAY_ADDRESS": address, VARIABLE: "0.5"}
        search = command(sys.argv[1], (*SLOWER, *PRECISE))
        code = subprocess.run(search, env=os.environ | ours, check=False).returncode
        ray.init(address, log_to_driver=False)  # the autoscaler would write after what we print
        print(json.dumps([[node["Resources"].get(kind, 0) for kind in ("CPU", "GPU")] for node in ray.nodes()]))
    return code


if __name__ == "__main__":
    sys.exit(main())
