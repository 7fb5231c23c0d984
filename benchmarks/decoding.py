"""Where the time of reading large JPEGs goes: python -m benchmarks.decoding [--images 48] [--repeat 3]

CPU milliseconds an image of each step, for JPEGs of 1600 x 1200 that become 224 x 224, and pages of memory that the
system hands out; then images per second by threads and by processes, by the program's reading and by a plain one. Steps
and ways take turns. `reduced` decodes at a quarter of the side, as libjpeg can; it changes pixels, so the program does
not do it. Prints JSON, with the machine's load.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.extraction import images, rate
from tuner.data.pixels import read_examined
from tuner.features.geometry import image_for

SIZE, SIDE = (1600, 1200), 224


def decode(file: Path) -> Image.Image:
    """Decoding alone."""
    with Image.open(file) as image:
        image.load()
        return image


def plain(file: Path) -> np.ndarray:
    """Reading as anyone would write it."""
    with Image.open(file) as image:
        return np.array(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def ours(file: Path) -> np.ndarray:
    """Reading as the extraction does it, with its checks."""
    return np.asarray(image_for(read_examined(file)[0], SIDE, "squash"))


def reduced(file: Path) -> np.ndarray:
    """Reading with libjpeg's own reduction."""
    with Image.open(file) as image:
        image.draft("RGB", (SIZE[0] // 4, SIZE[1] // 4))
        return np.array(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=48)
    parser.add_argument("--repeat", type=int, default=3, help="turns")
    options = parser.parse_args()
    n_cpus = len(os.sched_getaffinity(0))
    found: dict[str, Any] = {"load": round(os.getloadavg()[0], 1), "cpus": n_cpus}
    with tempfile.TemporaryDirectory() as name:
        files = sorted(images(Path(name), options.images, SIZE).rglob("*.jpg"))
        decoded = decode(files[0])
        steps: dict[str, Callable[[Path], object]] = {
            "decode": decode,
            "resize": lambda _: image_for(decoded, SIDE, "squash"),
            **{one.__name__: one for one in (plain, ours, reduced)},
        }
        for told, measure in (("CPU ms an image", cpu_ms), ("page faults an image", page_faults)):
            work = {step: partial(measure, files, one) for step, one in steps.items()}
            found[told] = taking_turns(work, options.repeat)
        with ThreadPoolExecutor(n_cpus) as threads, ProcessPoolExecutor(n_cpus, get_context("spawn")) as processes:
            list(processes.map(plain, files))  # its processes start
            pools: dict[str, Executor] = {"threads": threads, "processes": processes}
            pooled = {f"{one.__name__}, {pool}": (one, pools[pool]) for one in (plain, ours) for pool in pools}
            work = {way: partial(by, pool, files, one) for way, (one, pool) in pooled.items()}
            found["images/s"] = taking_turns(work, options.repeat)
        changed = [np.abs(ours(file).astype(int) - reduced(file)).mean() for file in files[:8]]
        found["mean change of a value by `reduced`, of 255"] = round(float(np.mean(changed)), 2)
    print(json.dumps(found, indent=1))


def cpu_ms(files: list[Path], step: Callable[[Path], object]) -> float:
    """CPU milliseconds of this process for an image; other processes on the machine count for little."""
    began_s = time.process_time()
    for file in files:
        step(file)
    return (time.process_time() - began_s) / len(files) * 1e3


def page_faults(files: list[Path], step: Callable[[Path], object]) -> float:
    """Pages of 4 KiB that the system hands out for an image."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for file in files:
        step(file)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / len(files)


def by(pool: Executor, files: list[Path], step: Callable[[Path], np.ndarray]) -> float:
    """Images per second of a pool."""
    return rate(len(files), lambda: list(pool.map(step, files)))


def taking_turns(measures: Mapping[str, Callable[[], float]], repeat: int) -> dict[str, float]:
    """Medians of measurements that take turns."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(repeat):
        for name, measure in measures.items():
            found[name].append(measure())
    return {name: round(statistics.median(values), 2) for name, values in found.items()}


if __name__ == "__main__":
    main()
