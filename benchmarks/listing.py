"""How long a manifest of many rows takes to list and to split by groups, and how much memory: 1.3 million rows are
ImageNet's size.

python -m benchmarks.listing [--rows 1300000] [--kind csv]    prints rows, seconds (wall and CPU), the peak of memory

Nothing is hashed or opened: the images need not exist.
"""

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from tuner.data.manifest import list_manifest
from tuner.data.settings import ManifestConfig
from tuner.data.splits import stratified_split

CLASSES = 1000
GROUP = 13  # images


def written(folder: Path, rows: int, kind: str) -> Path:
    """A manifest with paths as long as ImageNet's, groups, and boxes."""
    number = np.random.default_rng(0).permutation(rows)
    label = number % CLASSES
    table = pa.table(
        {
            "path": [f"train/n{c:08d}/n{c:08d}_{i:07d}.JPEG" for c, i in zip(label, number, strict=True)],
            "label": [f"n{c:08d}" for c in label],
            "group": [f"site-{i // GROUP}" for i in number],
            "box": ["10,20,200.5,180"] * rows,
        }
    )
    file = folder / f"list.{kind}"
    if kind == "csv":
        csv.write_csv(table, file)
    else:
        parquet.write_table(table, file)
    return file


def main() -> None:
    """Write a manifest in another process, so that its memory does not count here; then list it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_300_000)
    parser.add_argument("--kind", choices=["csv", "parquet"], default="csv")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            file = pool.apply(written, (Path(folder), given.rows, given.kind))
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        listing, _, names, _ = list_manifest(ManifestConfig(name="manifest", manifest=str(file)))
        wall_s, cpu_s = time.perf_counter() - start_s, time.process_time() - start_cpu_s
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        assert listing.groups is not None
        stratified_split(listing.labels, 0.25, 0, names, listing.groups)
        split_s, split_cpu_s = time.perf_counter() - start_s, time.process_time() - start_cpu_s
        size_mb = file.stat().st_size / 1e6
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(listing.paths):,} rows of {given.kind} ({size_mb:,.0f} MB, {len(names):,} classes): "
        f"{wall_s:.1f} s wall, {cpu_s:.1f} s CPU; split by {len(set(listing.groups.tolist())):,} groups "
        f"{split_s:.1f} s wall, {split_cpu_s:.1f} s CPU; peak {peak_mb:,.0f} MiB"
    )


if __name__ == "__main__":
    main()
