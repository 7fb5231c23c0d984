"""The cloud's and Kubernetes' cluster: accepted by Ray's own checks, and safe where Ray does not look."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

ROOT = Path(__file__).resolve().parents[2]


def cloud() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "ray_cluster.yaml").read_text())


def kubernetes() -> tuple[dict[str, Any], dict[str, Any]]:
    settings, cluster = yaml.safe_load_all((ROOT / "cluster" / "kuberay.yaml").read_text())
    return settings, cluster


def test_ray_accepts_the_cloud_cluster() -> None:
    prepared = prepare_config(cloud())
    validate_config(prepared)
    limits = {name: kind["max_workers"] for name, kind in prepared["available_node_types"].items()}
    assert limits == {"head": 0, "cpu-spot": 4, "gpu-spot": 8, "gpu-on-demand": 2}


@pytest.mark.parametrize("change", [{"head_node_type": "nobody"}, {"max_worker": 3}, {"max_workers": "many"}])
def test_ray_would_refuse_a_wrong_one(change: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"head_node_type|max_worker"):
        validate_config(prepare_config(cloud() | change))


def test_gpus_are_spot_first_and_the_same_machine_on_demand() -> None:
    kinds = cloud()["available_node_types"]
    spot, on_demand = copy.deepcopy(kinds["gpu-spot"]["node_config"]), kinds["gpu-on-demand"]["node_config"]
    assert spot.pop("InstanceMarketOptions") == {"MarketType": "spot"}
    assert spot == on_demand
    assert list(kinds).index("gpu-spot") < list(kinds).index("gpu-on-demand")


def test_the_head_of_the_cloud_has_no_room_for_stages_and_the_program_has_machines_without_a_gpu() -> None:
    kinds = cloud()["available_node_types"]
    assert kinds["head"]["resources"] == {"CPU": 0}
    assert [name for name, kind in kinds.items() if kind["node_config"]["InstanceType"].startswith("g")] == [
        "gpu-spot",
        "gpu-on-demand",
    ]
    assert kinds["cpu-spot"]["max_workers"] > 0
    environment = cloud()["setup_commands"][0]
    assert 0 < float(re.findall(r"'QPM_TUNER_GPU_SHARE=(\S+)'", environment)[0]) <= 1, "there is no GPU at the start"


def test_the_cloud_cluster_holds_no_key_asks_for_a_token_and_hides_its_dashboard() -> None:
    config, text = cloud(), (ROOT / "ray_cluster.yaml").read_text()
    assert not re.search(r"AKIA|ASIA|SECRET_ACCESS_KEY|aws_secret", text)
    assert all("IamInstanceProfile" in kind["node_config"] for kind in config["available_node_types"].values())
    assert config["file_mounts"]["~/.ray/auth_token"] == "~/.ray/auth_token"
    environment = config["setup_commands"][0]
    assert "'RAY_AUTH_MODE=token'" in environment
    starts = [config["head_start_ray_commands"][1], config["worker_start_ray_commands"][1]]
    assert all(". ~/qpm.env && ray start" in command for command in starts), "the token's mode must be set before"
    assert "--dashboard-host=127.0.0.1" in starts[0]
    assert config["setup_commands"][-1] == "sh ~/qpm-tuner/requirements/install.sh ~/venv/bin/python full"


FIELDS = {
    "spec": {"rayVersion", "authOptions", "enableInTreeAutoscaling", "autoscalerOptions", "headGroupSpec"}
    | {"workerGroupSpecs", "suspend", "managedBy", "gcsFaultToleranceOptions", "headServiceAnnotations"},
    "autoscalerOptions": {"version", "upscalingMode", "idleTimeoutSeconds", "image", "imagePullPolicy", "resources"}
    | {"securityContext", "env", "envFrom", "volumeMounts"},
    "headGroupSpec": {"rayStartParams", "template", "serviceType", "headService", "enableIngress", "resources"},
    "workerGroup": {"groupName", "replicas", "minReplicas", "maxReplicas", "idleTimeoutSeconds", "rayStartParams"}
    | {"template", "numOfHosts", "scaleStrategy", "suspend", "resources"},
}
"""The fields of ray.io/v1 RayCluster in KubeRay 1.6, as far as a cluster like ours may use them."""


def test_kubernetes_cluster_has_the_shape_of_a_ray_cluster() -> None:
    _, cluster = kubernetes()
    assert (cluster["apiVersion"], cluster["kind"]) == ("ray.io/v1", "RayCluster")
    spec = cluster["spec"]
    assert set(spec) <= FIELDS["spec"]
    assert set(spec["autoscalerOptions"]) <= FIELDS["autoscalerOptions"]
    assert spec["autoscalerOptions"]["upscalingMode"] in ("Default", "Aggressive", "Conservative")
    assert set(spec["headGroupSpec"]) <= FIELDS["headGroupSpec"]
    for group in spec["workerGroupSpecs"]:
        assert set(group) <= FIELDS["workerGroup"]
        assert 0 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values()), "KubeRay wants strings"
        pod = group["template"]["spec"]
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
            for kind in ("requests", "limits"):
                assert set(container["resources"][kind]) <= {"cpu", "memory", "nvidia.com/gpu"}


def test_kubernetes_gpus_are_on_workers_only_and_addresses_come_from_one_place() -> None:
    settings, cluster = kubernetes()
    spec = cluster["spec"]
    groups = {group["groupName"]: group for group in spec["workerGroupSpecs"]} | {"head": spec["headGroupSpec"]}
    containers = {name: group["template"]["spec"]["containers"][0] for name, group in groups.items()}
    gpus = {name: container["resources"]["limits"].get("nvidia.com/gpu") for name, container in containers.items()}
    assert gpus == {"cpu": None, "gpu": "1", "head": None}
    assert groups["head"]["rayStartParams"]["num-cpus"] == "0", "the head has no room for stages"
    assert 0 < float(settings["data"]["QPM_TUNER_GPU_SHARE"]) <= 1, "there is no GPU at the start"
    assert len({container["image"] for container in containers.values()}) == 1
    assert spec["authOptions"] == {"mode": "token"}
    for container in containers.values():
        assert {"configMapRef": {"name": settings["metadata"]["name"]}} in container["envFrom"]
        assert [reference["secretRef"]["name"] for reference in container["envFrom"] if "secretRef" in reference]
    assert {"MLFLOW_TRACKING_URI", "AWS_ENDPOINT_URL"} <= set(settings["data"])
    assert all(isinstance(value, str) for value in settings["data"].values()), "Kubernetes wants strings"
    assert not {"AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"} & set(settings["data"])


def test_the_ray_of_kubernetes_is_the_ray_that_is_installed() -> None:
    pinned = re.search(r"^ray==(\S+)", (ROOT / "requirements" / "search.txt").read_text(), re.M)
    assert pinned is not None
    assert kubernetes()[1]["spec"]["rayVersion"] == pinned[1]
