"""What a trial at the size of CUB needs of a GPU: operations, bytes and kernels counted on tensors without data.

    python -m benchmarks.gpu_needs

Derived, not measured: both stages' own epochs run on the device `meta`, and what they would take on a GPU follows from
its data sheet.
"""

import argparse
from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from tuner.features.samples import Samples
from tuner.qpm import AdapterConfig, DenseConfig, DenseModel, FinetuneConfig
from tuner.qpm.adapter import Adapter
from tuner.qpm.classifier import Classifier
from tuner.qpm.finetuning import QpmModel
from tuner.qpm.settings import TrainingConfig
from tuner.qpm.training import one_epoch, optimizer_of

IMAGES, TOKENS, DIM, CLASSES, SELECTED = 5994, 256, 768, 200, 50  # CUB through ViT-B/14, and CLS
FLOPS, BANDWIDTH = 989e12, 4.8e12  # an H200: dense bfloat16 a second, bytes a second
UTILISATION = 0.4  # of the peak that matrix products of these sizes usually reach
LAUNCH_S = 7e-6  # from one kernel to the next, where Python and PyTorch start each by itself
NO_KERNEL = (
    "view", "_unsafe_view", "t.", "transpose", "slice", "select.", "expand", "unsqueeze", "squeeze", "detach", "split",
    "alias", "permute", "empty", "as_strided", "unbind", "_reshape_alias", "lift",
)  # fmt: skip


class Kernels(TorchDispatchMode):
    """Counts what a device would be asked for: kernels, and the bytes that they read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count one operation, and let it go on."""
        out = func(*args, **(kwargs or {}))
        name = str(func).removeprefix("aten.")
        tensors = [leaf for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, torch.Tensor)]
        if not name.startswith(NO_KERNEL) and any(tensor.device.type == "meta" for tensor in tensors):
            self.calls[name] += 1
            self.bytes += sum(tensor.nbytes for tensor in tensors)
        return out


def stage(model: Classifier, config: TrainingConfig) -> dict[str, float]:
    """FLOP, bytes, kernels and steps of a whole stage, from those of a few batches."""
    batches = 4
    n = batches * config.batch_size
    patches, cls = (torch.empty(n, *shape, DIM, dtype=torch.float16, device="meta") for shape in ((TOKENS,), ()))
    labels = torch.empty(n, dtype=torch.int64, device="meta")
    samples = Samples(patches, cls, labels, None, None, (16, 16), CLASSES)
    optimizer, draws = optimizer_of(model, config), torch.Generator()
    with FlopCounterMode(display=False) as flops, Kernels() as kernels:
        one_epoch(model, optimizer, samples, torch.arange(n), config, draws, draws)
    steps = -(-IMAGES // config.batch_size) * config.epochs
    counted = {"flop": flops.get_total_flops(), "bytes": kernels.bytes, "kernels": sum(kernels.calls.values())}
    return {"steps": steps, **{name: value / batches * steps for name, value in counted.items()}}


def gpu_needs() -> dict[str, Any]:
    """Counts of both stages at the published settings, and the seconds that follow for an H200."""
    torch.set_default_device("meta")
    try:
        dense = DenseModel(AdapterConfig(), DIM, CLASSES, (16, 16))
        tuned = QpmModel(Adapter(AdapterConfig(width=SELECTED), DIM), CLASSES, (16, 16))
    finally:
        torch.set_default_device(None)
    found: dict[str, Any] = {"dense": stage(dense, DenseConfig()), "finetune": stage(tuned, FinetuneConfig())}
    lines = [
        f"Derived, not measured: CUB ({IMAGES} images, {TOKENS} tokens and CLS of {DIM}), published settings, an H200:",
        f"{FLOPS / 1e12:.0f} TFLOP/s in bfloat16 of which {UTILISATION:.0%} are used, {BANDWIDTH / 1e12:.1f} TB/s, "
        f"{LAUNCH_S * 1e6:.0f} us to start a kernel.",
        "Bytes are those of float32, each kernel by itself: an upper bound.",
    ]
    for name, needs in found.items():
        computing, moving = needs["flop"] / (FLOPS * UTILISATION), needs["bytes"] / BANDWIDTH
        starting = needs["kernels"] * LAUNCH_S
        needs["seconds"] = {"products": computing, "memory": moving, "starting": starting}
        lines.append(
            f"{name}: {needs['steps']} steps of {needs['kernels'] / needs['steps']:.0f} kernels, "
            f"{needs['flop'] / 1e15:.2f} PFLOP, {needs['bytes'] / 1e12:.1f} TB: products {computing:.1f} s and memory "
            f"{moving:.1f} s; meanwhile, starting kernels {starting:.1f} s"
        )
    total = sum(max(s["products"] + s["memory"], s["starting"]) for s in (needs["seconds"] for needs in found.values()))
    lines.append(f"Both stages: about {total:.0f} s.")
    found["lines"] = lines
    return found


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print("\n".join(gpu_needs()["lines"]))


if __name__ == "__main__":
    main()
