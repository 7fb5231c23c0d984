"""How fast the dense stage trains, beside a straightforward loop, in one run; and what a GPU would need.

    python -m benchmarks.training [--bank FOLDER] [--epochs 2] [--images 0] [--threads 2] [--workers 0] [--compiled]

Each way runs in a process of its own, so that its peak of memory is its own. Without a bank the tokens are drawn, 1,500
images of 14 x 14 tokens of width 1280: the size of `cub50`. Kept in benchmarks/results/training.json.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_needs import gpu_needs
from benchmarks.machine import keep
from benchmarks.naive_training import train as train_straightforward
from benchmarks.naive_training import write_files
from tuner.features.bank import load_bank
from tuner.features.device import choose_device
from tuner.features.samples import Samples
from tuner.qpm import AdapterConfig, DenseConfig, DenseModel, losses, train_dense
from tuner.qpm.adapter import Adapter
from tuner.qpm.randomness import generator

ADAPTER = AdapterConfig(width=512, hidden=512, n_layers=3)
WAYS = ("ours", "ours, float32", "straightforward")
COMPILED = ("ours, compiled", "ours, float32, compiled")  # the first epoch includes the compilation


def tokens(bank: str, images: int) -> Samples:
    """Training images of a bank, or drawn ones of that size."""
    if bank:
        found = load_bank(Path(bank), contents=False)
        rows = np.flatnonzero(found.is_train)
        return found.samples(rows[:: max(1, len(rows) // images)] if images else rows)
    n = images or 1500
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % 50
    marks = torch.randn(50, 1280, generator=draw).half()
    patches = torch.randn(n, 196, 1280, generator=draw).half()
    patches[:, 80:90] += marks[labels].unsqueeze(1)
    return Samples(patches, None, labels, None, None, (14, 14), 50)


def run(way: str, options: argparse.Namespace) -> dict[str, Any]:
    """Seconds of each epoch, curves and memory of one way, in this process."""
    torch.set_num_threads(options.threads)
    samples, device = tokens(options.bank, options.images), choose_device("auto")
    before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    precision = "float32" if "float32" in way or way == "straightforward" else "auto"
    config = DenseConfig(epochs=options.epochs, precision=precision, reestimate_batch_norm=False)
    marks = [(time.perf_counter(), time.process_time())]

    def mark(*_: object) -> None:
        marks.append((time.perf_counter(), time.process_time()))

    if way in COMPILED:
        Adapter.forward = torch.compile(Adapter.forward)  # type: ignore[method-assign]
        losses.diversity_loss = torch.compile(losses.diversity_loss)
    if way == "straightforward":
        start = DenseModel(ADAPTER, samples.dim, samples.n_classes, samples.grid, generator(0, "dense", "init"))
        with tempfile.TemporaryDirectory() as folder:
            files = write_files(samples, Path(folder))
            del samples
            marks[0] = (time.perf_counter(), time.process_time())
            curves = train_straightforward(start, files, config, device, options.workers, mark)
    else:
        curves = train_dense(samples, ADAPTER, config, seed=0, progress=mark).curves
    spent = np.diff(np.array(marks), axis=0)
    return {
        "wall_s": spent[:, 0].round(2).tolist(),
        "cpu_s": spent[:, 1].round(2).tolist(),
        "loss": [round(row["loss"], 4) for row in curves],
        "accuracy": [round(row["accuracy"], 2) for row in curves],
        "peak_rss_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "rss_with_tokens_mib": round(before_mib),
        "peak_gpu_mib": round(torch.cuda.max_memory_allocated() / 2**20) if device.type == "cuda" else None,
    }


def _answer(queue: "multiprocessing.Queue[dict[str, Any]]", way: str, options: argparse.Namespace) -> None:
    queue.put(run(way, options))


def alone(way: str, options: argparse.Namespace) -> dict[str, Any]:
    """`run` in a process of its own."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=_answer, args=(queue, way, options))
    process.start()
    found = queue.get()
    process.join()
    return found


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bank", default="", help="folder of a feature bank; without one tokens are drawn")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--images", type=int, default=0, help="fewer images; 0: all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0, help="processes of the DataLoader")
    parser.add_argument("--compiled", action="store_true", help="also by torch.compile; needs a C++ compiler")
    options = parser.parse_args(arguments)
    figures: dict[str, Any] = {"options": vars(options)}
    figures["ways"] = {way: alone(way, options) for way in (*WAYS, *(COMPILED if options.compiled else ()))}
    slow = figures["ways"]["straightforward"]
    for way, found in figures["ways"].items():
        found["times_faster"] = {clock: round(min(slow[clock]) / min(found[clock]), 2) for clock in ("wall_s", "cpu_s")}
        wall, cpu = min(found["wall_s"]), min(found["cpu_s"])
        print(f"{way:<24} {wall:7.2f} s an epoch, {cpu:7.2f} s of CPU, times faster: {found['times_faster']}")
        print(f"{'':<24} loss {found['loss']}, accuracy {found['accuracy']} %, peak {found['peak_rss_mib']} MiB")
    figures["derived_for_a_gpu"] = gpu_needs()
    for line in figures["derived_for_a_gpu"]["lines"]:
        print(line)
    print(keep("training", figures))
    return figures


if __name__ == "__main__":
    main()
