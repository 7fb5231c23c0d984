"""What learning curves on held-out images cost in training: CPU seconds of the measurements beside those of the epochs.

    python -m benchmarks.validation_curves [--epochs 2] [--images 0] [--threads 1] [--cases digits cub50]

Both are taken in the same run. A measurement is due after few of the epochs of a longer training, so the share is also
worked out for 10 and 25 epochs. The tokens are drawn; `cub50` is 1,500 images of 14 x 14 tokens of width 1280, `digits`
1,150 images of 4 x 4 tokens of width 64; a fifth of them is held out.
"""

import argparse
import time
from typing import Any

import torch

from benchmarks.machine import keep
from tuner.features.samples import Samples
from tuner.qpm import AdapterConfig, DenseConfig, FinetuneConfig, assign, dense_features, finetune, rounds, train_dense
from tuner.qpm import dense as dense_module
from tuner.qpm.settings import AssignConfig
from tuner.qpm.validation import Validation, is_due

CASES: dict[str, dict[str, Any]] = {
    "digits": {"n": 1150, "grid": (4, 4), "dim": 64, "classes": 10, "adapter": AdapterConfig(96, 128, 3)},
    "cub50": {"n": 1500, "grid": (14, 14), "dim": 1280, "classes": 50, "adapter": AdapterConfig(512, 512, 3)},
}
LENGTHS = (10, 25)
EVERY = 5  # one image in so many is held out


class Timed(Validation):
    """Counts the CPU seconds of all measurements."""

    spent_s = 0.0

    def measure(self, *arguments: Any) -> dict[str, float]:
        """As `Validation`."""
        began_s = time.process_time()
        found = super().measure(*arguments)
        Timed.spent_s += time.process_time() - began_s
        return found


def tokens(n: int, grid: tuple[int, int], dim: int, classes: int) -> Samples:
    """Drawn images; each class has its mark at one place."""
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % classes
    patches = torch.randn(n, grid[0] * grid[1], dim, generator=draw).half()
    patches[:, 5:9] += torch.randn(classes, dim, generator=draw).half()[labels].unsqueeze(1)
    return Samples(patches, None, labels, None, None, grid, classes)


def run(case: str, epochs: int, images: int) -> dict[str, dict[str, float]]:
    """For each stage, CPU seconds of an epoch and of a measurement, and shares of the training's CPU seconds in %."""
    made = dict(CASES[case])
    adapter = made.pop("adapter")
    made["n"] = images or made["n"]
    every = tokens(**made)
    held = torch.arange(len(every)) % EVERY == EVERY - 1
    train, validation = every.subset(~held), every.subset(held)
    found = {}
    began_s = time.process_time()
    dense = train_dense(train, adapter, DenseConfig(epochs=epochs), seed=0, validation=validation)
    found["dense"] = _shares(epochs, time.process_time() - began_s)
    program = AssignConfig(n_features=40, features_per_class=4, effort=0, control="random")
    assignment = assign(dense_features(dense, train), program, seed=0)
    began_s = time.process_time()
    finetune(dense, assignment, train, FinetuneConfig(epochs=epochs), seed=0, validation=validation)
    found["finetune"] = _shares(epochs, time.process_time() - began_s)
    return found


def _shares(epochs: int, spent_s: float) -> dict[str, float]:
    measured_s, Timed.spent_s = Timed.spent_s, 0.0
    epoch_s = (spent_s - measured_s) / epochs
    each_s = measured_s / sum(is_due(epoch, epochs) for epoch in range(1, epochs + 1))
    shares = {
        f"share_{n}_%": 100 * each_s * sum(is_due(epoch, n) for epoch in range(1, n + 1)) / (n * epoch_s)
        for n in LENGTHS
    }
    return {name: round(value, 3) for name, value in {"epoch_s": epoch_s, "measurement_s": each_s, **shares}.items()}


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Run the cases and keep what they cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--images", type=int, default=0, help="fewer images; 0: all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--keep", action="store_true", help="keep the figures in benchmarks/results")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    dense_module.Validation = rounds.Validation = Timed  # type: ignore[misc]
    found = {case: run(case, options.epochs, options.images) for case in options.cases}
    for case, stages in found.items():
        for stage, costs in stages.items():
            print(f"{case:8} {stage:9} " + "  ".join(f"{name} {value:g}" for name, value in costs.items()), flush=True)
    if options.keep:
        keep("validation_curves", found)
    return found


if __name__ == "__main__":
    main()
