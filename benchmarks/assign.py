"""CPU seconds of a sweep over sizes of the program: on features that the dense stage keeps, and as it was before.

    python -m benchmarks.assign [--bank FOLDER] [--sizes 25]

Before, the adapter ran over all training images for every program, twice with the locality bias. Without a bank the
digits are used. Prints the figures and keeps them in benchmarks/results/assign.json.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import keep
from tuner.data.settings import DataConfig
from tuner.features.bank import FeatureBank, load_bank
from tuner.features.extract import extract_bank
from tuner.features.settings import BackboneConfig
from tuner.qpm import AdapterConfig, AssignConfig, DenseConfig, DenseFeatures, assign, dense_features, train_dense

SWEEP = list(itertools.product((20, 30, 40, 50, 60), (3, 4, 5, 6, 7)))  # m and k, as published


def cpu_seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of this process for some work, and what it gives."""
    start = time.process_time()
    made = work()
    return time.process_time() - start, made


def measure(bank: FeatureBank, sizes: int) -> dict[str, Any]:
    """The pass over train, and the programs of a sweep, in CPU seconds."""
    torch.set_num_threads(1)
    train = bank.samples(np.flatnonzero(bank.is_train))
    adapter = AdapterConfig(width=512, hidden=512, n_layers=3)
    dense = train_dense(train, adapter, DenseConfig(epochs=1), seed=0, device="cpu")
    one_pass, features = cpu_seconds(lambda: dense_features(dense, train, device="cpu"))
    assert isinstance(features, DenseFeatures)
    programs = []
    for m, k in SWEEP[:: max(1, len(SWEEP) // sizes)][:sizes]:
        config = AssignConfig(n_features=m, features_per_class=k, effort=20_000)
        programs.append(cpu_seconds(lambda config=config: assign(features, config, seed=0))[0])
    with tempfile.TemporaryDirectory() as folder:
        features.save(Path(folder))
        size_mb = sum(file.stat().st_size for file in Path(folder).iterdir()) / 1e6
    return {
        "images": len(train),
        "tokens": train.patches.shape[1],
        "width": features.width,
        "kept_mb": round(size_mb, 1),
        "pass_cpu_s": round(one_pass, 2),
        "programs": len(programs),
        "program_cpu_s": round(float(np.mean(programs)), 2),
        "sweep_now_cpu_s": round(one_pass + sum(programs), 1),
        "sweep_before_cpu_s": round(one_pass * len(programs) + sum(programs), 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bank", default="", help="folder of a feature bank; without one the digits are used")
    parser.add_argument("--sizes", type=int, default=25, help="programs of the sweep, up to 25")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.bank:
            bank = load_bank(Path(options.bank), contents=False)
        else:
            bank = extract_bank(DataConfig(name="digits"), BackboneConfig(name="patch_dictionary"), Path(folder))
        found = measure(bank, options.sizes)
    for name, value in found.items():
        print(f"{name:<20} {value}")
    print(keep("assign", found))


if __name__ == "__main__":
    main()
