"""The cost of claims for a single search: python -m benchmarks.claims [--rows 100]

Rows of four stages are claimed and let go of in a folder and on S3 (SeaweedFS on loopback), as the broker does it; the
first number delays a row, the second goes on beside the stages.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from cluster import s3
from tuner.store import Claims, Store, open_store

STAGES = ("dense", "assign", "finetune", "evaluate")


def measure(store: Store, rows: int) -> tuple[float, float]:
    """Milliseconds a row to claim it, the median, and to let go of it, the mean."""
    claims = Claims(store, "benchmark")
    claims.take([("stages/dense", "0" * 32)])  # the first one begins to beat
    names = [[(f"stages/{stage}", f"{row:032x}") for stage in STAGES] for row in range(1, rows + 1)]
    taken = []
    for row in names:
        began = time.perf_counter()
        claims.take(row)
        taken.append(time.perf_counter() - began)
    began = time.perf_counter()
    for row in names:
        claims.release(row)
    claims.close()
    return 1e3 * statistics.median(taken), 1e3 * (time.perf_counter() - began) / rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("folder: claim {:.1f} ms a row, let go {:.1f} ms".format(*measure(open_store(folder / "store"), rows)))
        server = s3.start(folder / "s3", "benchmark")
        try:
            os.environ |= server.environment()
            print(
                "S3:     claim {:.1f} ms a row, let go {:.1f} ms".format(*measure(open_store("s3://benchmark"), rows))
            )
        finally:
            s3.stop(folder / "s3")


if __name__ == "__main__":
    main()
