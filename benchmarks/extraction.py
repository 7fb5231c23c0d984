"""Images per second of an extraction, beside a plain PyTorch DataLoader loop, and on one node of Ray against three.

    python -m benchmarks.extraction [--images 96] [--repeat 3] [--nodes]

Two cases: large JPEGs through averages (decoding is the limit), small JPEGs through EfficientNet-Lite2 (the network is
the limit; left out, and said, where its package is missing). Loop and extraction take turns. The extraction also looks
for broken images, writes the tokens and hashes them; the loop keeps its tokens in memory. `--nodes` adds Ray: one node
of one CPU against three, on this machine. Figures are printed as JSON, with the load of the machine.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from tuner.base.progress import Silent
from tuner.data.settings import DataConfig
from tuner.features import plan, register_backbone
from tuner.features.backbone import Backbone, Pretrained, Tokens
from tuner.features.extract import extract_bank
from tuner.features.registry import make_backbone
from tuner.features.settings import BackboneConfig, BackboneSettings
from tuner.recipe import load_recipe
from tuner.search.execute.banks import ensure_bank
from tuner.store import Artifacts, open_store

BATCH = 32


class Means(Pretrained):
    """Averages over a grid: a network that takes no time."""

    dim, has_cls, image_size, grid = 3, False, 224, (16, 16)

    def key_material(self) -> dict[str, Any]:
        return {"name": "means"}

    def load(self, device: torch.device) -> None:
        pass

    def tokens(self, images: torch.Tensor) -> Tokens:
        return F.adaptive_avg_pool2d(images.float() / 255, self.grid).flatten(2).transpose(1, 2), None


class Images(Dataset[torch.Tensor]):
    """What a plain loop reads."""

    def __init__(self, files: list[Path], size: int) -> None:
        self.files, self.size = files, size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> torch.Tensor:
        with Image.open(self.files[i]) as image:
            square = image.convert("RGB").resize((self.size, self.size), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(square)).permute(2, 0, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=96, help="of each case")
    parser.add_argument("--repeat", type=int, default=3, help="turns of loop and extraction")
    parser.add_argument("--nodes", action="store_true", help="one node of Ray against three, too")
    options = parser.parse_args()
    register_backbone("means", lambda config, **_: Means())
    cases = {"decoding": ((1600, 1200), BackboneSettings(name="means"))}
    if find_spec("efficientnet_lite_pytorch"):
        cases["network"] = ((320, 240), BackboneConfig(name="efficientnet_lite2"))
    else:
        print("left out: efficientnet_lite2, whose package is not installed", file=sys.stderr)
    with tempfile.TemporaryDirectory() as name:
        os.environ["QPM_TUNER_CACHE"] = f"{name}/cache"
        found: dict[str, Any] = {"load": round(os.getloadavg()[0], 1), "cpus": len(os.sched_getaffinity(0))}
        for case, (size, backbone) in cases.items():
            root = images(Path(name) / case, options.images, size)
            found[case] = turns(root, backbone, Path(name) / f"{case}-banks", options.repeat)
        if options.nodes:
            found["nodes"] = nodes(Path(name) / "decoding", Path(name))
    print(json.dumps(found, indent=1))


def images(root: Path, n: int, size: tuple[int, int]) -> Path:
    """JPEGs of smooth noise in two classes."""
    noise = np.random.default_rng(0)
    for i in range(n):
        file = root / "ab"[i % 2] / f"{i:04}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(noise.integers(0, 256, (48, 64, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(file, quality=90)
    return root


def turns(root: Path, backbone: BackboneSettings, banks: Path, repeat: int) -> dict[str, float]:
    """Median images per second of both, taking turns."""
    data, network = DataConfig(name="folder", root=str(root)), make_backbone(backbone, "folder")
    network.load(torch.device("cpu"))
    files = sorted(root.rglob("*.jpg"))
    rates: dict[str, list[float]] = {"loop": [], "extraction": []}
    for turn in range(repeat):
        rates["loop"].append(rate(len(files), lambda: loop(files, network)))
        rates["extraction"].append(
            rate(len(files), lambda turn=turn: extract_bank(data, backbone, banks / str(turn), device="cpu"))
        )
    told = {f"{name}_images_a_second": round(statistics.median(values), 1) for name, values in rates.items()}
    return told | {"ratio": round(told["extraction_images_a_second"] / told["loop_images_a_second"], 2)}


def loop(files: list[Path], network: Backbone) -> None:
    """The loop as anyone would write it."""
    loader = DataLoader(Images(files, network.image_size), BATCH, num_workers=len(os.sched_getaffinity(0)))
    with torch.inference_mode():
        kept = [network.tokens(batch)[0].half() for batch in loader]
    assert sum(map(len, kept)) == len(files)


def nodes(root: Path, folder: Path) -> dict[str, float]:
    """Images per second by one and by three nodes of one CPU each; the workers' start is included."""
    from ray.cluster_utils import Cluster

    plan.SHARD_IMAGES = 8
    told = {}
    recipe = load_recipe("folder", [f"data.root={root}", "backbone.name=means"])
    n = len(list(root.rglob("*.jpg")))
    for count in (1, 3):
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            for _ in range(count):
                cluster.add_node(num_cpus=1)
            os.environ["RAY_ADDRESS"] = cluster.address
            artifacts = Artifacts(open_store(folder / f"store{count}"))
            told[f"{count}_images_a_second"] = round(rate(n, lambda a=artifacts: ensure_bank(a, recipe, Silent())), 2)
        finally:
            del os.environ["RAY_ADDRESS"]
            cluster.shutdown()
    return told


def rate(n: int, work: Callable[[], object]) -> float:
    """Images per second of wall time."""
    began_s = time.perf_counter()
    work()
    return n / (time.perf_counter() - began_s)


if __name__ == "__main__":
    main()
