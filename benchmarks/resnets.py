"""The ResNet baselines without a GPU: python -m benchmarks.resnets --root CUB50 --folded FILE

Compares ResNet-18 and its QPM, trained end to end at 112 px, with QPM on frozen tokens of the same images. What is
smaller than published is said in the output: the network, the side, the number of classes and of epochs.
`--folded` is a file of ImageNet weights whose batch norms were folded into the convolutions. They are taken apart
again: mean and deviation of each convolution's output over training images become a batch norm that changes nothing.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tuner.features.resnet_network import build_network
from tuner.features.resnet_weights import renamed

SIDE = 112
IMAGES = 128  # at most, for the statistics of the batch norms


def first_classes(root: Path, out: Path, n_classes: int) -> None:
    """A copy of the compact layout with the first classes only; images and masks are linked."""
    images, classes = pd.read_csv(root / "metadata.csv"), pd.read_csv(root / "classes.csv")
    images = images[images["class"] < n_classes]
    images.to_csv(out / "metadata.csv", index=False)
    classes[classes["class"] < n_classes].to_csv(out / "classes.csv", index=False)
    attributes = pd.read_csv(root / "class_attributes.csv")
    attributes[attributes["class"] < n_classes].to_csv(out / "class_attributes.csv", index=False)
    parts = pd.read_csv(root / "parts.csv")
    parts[parts["image_id"].isin(images["image_id"])].to_csv(out / "parts.csv", index=False)
    (out / "masks").mkdir()
    for number, path in zip(images["image_id"], images["path"], strict=True):
        (out / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / "images" / path, out / "images" / path)
        mask = Path("masks") / f"{number:05d}.png"
        if (root / mask).is_file():
            shutil.copyfile(root / mask, out / mask)


def pixels(folder: Path) -> Tensor:
    """(at most IMAGES, 3, SIDE, SIDE): training images, normalised as ImageNet's."""
    images = pd.read_csv(folder / "metadata.csv")
    paths = images[images["split"] == "train"]["path"]
    paths = paths.sample(min(IMAGES, len(paths)), random_state=0)
    loaded = [np.asarray(Image.open(folder / "images" / path).convert("RGB").resize((SIDE, SIDE))) for path in paths]
    stacked = torch.from_numpy(np.stack(loaded)).permute(0, 3, 1, 2) / 255
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (stacked - mean[:, None, None]) / deviation[:, None, None]


def unfold(folded: dict[str, Tensor], images: Tensor) -> dict[str, Tensor]:
    """Weights with batch norms, of a ResNet-18 that computes what the folded one does."""
    network = build_network(18, torch.Generator().manual_seed(0)).eval()
    state = network.state_dict()
    biases: dict[str, Tensor] = {}
    for name, value in folded.items():
        target = renamed(name)
        if target.endswith(".weight"):
            state[target] = value.float()
        else:
            biases[target.removesuffix("bias").replace("convolution", "normalization").rstrip(".")] = value.float()
    network.load_state_dict(state)

    def settle(bias: Tensor, norm: nn.BatchNorm2d, inputs: tuple[Tensor, ...]) -> None:
        variance, mean = torch.var_mean(inputs[0], dim=(0, 2, 3), correction=0)
        for parameter, value in (
            (norm.running_mean, mean),
            (norm.running_var, variance),
            (norm.weight, torch.sqrt(variance + norm.eps)),
            (norm.bias, mean + bias),
        ):
            assert parameter is not None
            parameter.data.copy_(value)

    for name, module in network.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            hook: Any = partial(settle, biases.pop(name))
            module.register_forward_pre_hook(hook)
    assert not biases, f"biases of no batch norm: {sorted(biases)}"
    with torch.inference_mode():
        network(images)
    return {name: value for name, value in network.state_dict().items() if value.is_floating_point()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="folder of cub50")
    parser.add_argument("--folded", type=Path, required=True, help="ResNet-18 with folded batch norms, safetensors")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("overrides", nargs="*", help="fields of the recipe")
    options = parser.parse_intermixed_args()
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data"
        data.mkdir()
        first_classes(options.root, data, options.classes)
        save_file(unfold(load_file(options.folded), pixels(data)), Path(name) / "resnet18.safetensors")
        print(
            f"ResNet-18 at {SIDE} px on the first {options.classes} classes; {' '.join(options.overrides)}", flush=True
        )
        settings = [
            f"data.root={data}",
            f"data.classes={options.classes}",
            f"resnet.weights={name}/resnet18.safetensors",
            "resnet.depth=18",
        ]
        settings += [f"resnet.crop={SIDE}", "backbone.image_size=224", "assign.effort=20000"]
        command = [sys.executable, "-m", "jobs.compare", "--recipe", "cub50", "--seeds", str(options.seeds)]
        command += ["--systems", "qpm,random,resnet,resnet_qpm", "--store", f"{name}/runs", *settings]
        sys.exit(subprocess.run([*command, *options.overrides], check=False).returncode)


if __name__ == "__main__":
    main()
