"""How fast the store is: against plain boto3 on the same server, and how long a search takes to restore.

    python -m benchmarks.store [--megabytes 64] [--trials 1000] [--repeat 5]

Starts its own S3 server on loopback; prints the figures as JSON and keeps them in benchmarks/results/store.json.
"""

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3

from benchmarks import machine
from cluster import s3
from tuner.store import Artifacts, Ledger, Store, open_store
from tuner.store.store import for_each

RESULTS = machine.RESULTS / "store.json"
BUCKET = "benchmark"
N_SMALL = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=64, help="size of the large file")
    parser.add_argument("--trials", type=int, default=1000, help="finished trials to restore")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each measurement, interleaved")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = s3.start(folder / "s3", BUCKET)
        os.environ |= server.environment()
        try:
            store = open_store(f"s3://{BUCKET}/ours")
            results = {
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": {
                    "cpu": _cpu(),
                    "cores": os.cpu_count(),
                    "usable_cores": len(os.sched_getaffinity(0)),
                    "load": round(os.getloadavg()[0], 2),
                    "python": platform.python_version(),
                    "server": "SeaweedFS on loopback",
                },
                "against_boto3": against_boto3(store, folder, options.megabytes, options.repeat),
                "restore": {
                    "local": restore(open_store(folder / "local"), options.trials),
                    "s3": restore(store, options.trials),
                },
                "artifact": artifact(store, folder, options.megabytes),
            }
        finally:
            s3.stop(folder / "s3")
    text = json.dumps(results, indent=1)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(text + "\n")
    print(text)


def against_boto3(store: Store, folder: Path, megabytes: int, repeat: int) -> dict[str, Any]:
    """Median seconds of the same work done by the store and by boto3 alone, and their ratio."""
    client = boto3.client("s3", region_name="us-east-1")
    small = os.urandom(2000)
    large, copy = folder / "large", folder / "copy"
    large.write_bytes(os.urandom(megabytes * 2**20))

    def put_small(put: Callable[[str], object]) -> None:
        for number in range(N_SMALL):
            put(f"small/{number}")

    work: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        f"put of {N_SMALL} small objects": (
            lambda: put_small(lambda key: store.put(key, small)),
            lambda: put_small(lambda key: client.put_object(Bucket=BUCKET, Key=f"plain/{key}", Body=small)),
        ),
        f"get of {N_SMALL} small objects": (
            lambda: put_small(store.get),
            lambda: put_small(lambda key: client.get_object(Bucket=BUCKET, Key=f"plain/{key}")["Body"].read()),
        ),
        f"upload of {megabytes} MiB": (
            lambda: store.upload(large, "large"),
            lambda: client.upload_file(str(large), BUCKET, "plain/large"),
        ),
        f"download of {megabytes} MiB": (
            lambda: store.download("large", copy),
            lambda: client.download_file(BUCKET, "plain/large", str(copy)),
        ),
    }
    figures = {}
    for name, sides in work.items():
        for side in sides:
            side()  # connections, threads, page cache
        seconds: tuple[list[float], list[float]] = ([], [])
        for turn in range(repeat):
            for which in (0, 1) if turn % 2 else (1, 0):
                seconds[which].append(_seconds(sides[which]))
        ours, plain = (statistics.median(values) for values in seconds)
        figures[name] = {
            "store_s": round(ours, 3),
            "boto3_s": round(plain, 3),
            "ratio_of_throughput": round(plain / ours, 2),
        }
        if "MiB" in name:
            figures[name]["store_mib_per_s"] = round(megabytes / ours, 1)
    return figures


def restore(store: Store, trials: int) -> dict[str, Any]:
    """Seconds until a fresh driver has all events of finished trials: as it finds them, without any copy
    that `append` has made on the way, and with all of them in the copy.
    """
    ledger = Ledger(store, "benchmark")
    events = [_event(trial, kind) for trial in range(trials) for kind in ("started", "assigned", "complete")]
    append_s = _seconds(lambda: for_each(store, ledger.append, events))
    found_s = _seconds(Ledger(store, "benchmark").read)
    store.delete(ledger.snapshot_key)
    read = Ledger(store, "benchmark")
    cpu_s = time.process_time()
    read_s = _seconds(read.read)
    cpu_s = time.process_time() - cpu_s
    compact_s = _seconds(read.compact)
    fresh = Ledger(store, "benchmark")
    fresh_s = _seconds(fresh.read)
    assert len(read.read()) == len(fresh.read()) == len(events)
    return {
        "trials": trials,
        "events": len(events),
        "append_s": round(append_s, 3),
        "restore_s": round(found_s, 3),
        "restore_without_copy_s": round(read_s, 3),
        "restore_without_copy_cpu_s": round(cpu_s, 3),
        "compact_s": round(compact_s, 3),
        "restore_after_compact_s": round(fresh_s, 3),
        "read_again_s": round(_seconds(fresh.read), 3),
    }


def artifact(store: Store, folder: Path, megabytes: int) -> dict[str, Any]:
    """Seconds to publish a bank, to fetch it on a new node and to fetch it again."""
    bank = folder / "bank"
    bank.mkdir()
    for number in range(4):
        (bank / f"{number}.npy").write_bytes(os.urandom(megabytes * 2**20 // 4))
    artifacts = Artifacts(store, folder / "cache")
    return {
        "mebibytes": megabytes,
        "publish_s": round(_seconds(lambda: artifacts.publish("banks", "k", bank, {})), 3),
        "fetch_s": round(_seconds(lambda: artifacts.fetch("banks", "k")), 3),
        "fetch_again_s": round(_seconds(lambda: artifacts.fetch("banks", "k")), 3),
        "fetch_in_a_new_process_s": round(_seconds(lambda: Artifacts(store, folder / "cache").fetch("banks", "k")), 3),
    }


def _event(trial: int, kind: str) -> dict[str, Any]:
    params = {"n_features": 50, "features_per_class": 5, "width": 512, "seed": trial}
    values = {f"metric_{number}": trial * 0.001 + number for number in range(14)}
    return {"event": kind, "trial": trial, "params": params, "values": values, "keys": ["0" * 32] * 4}


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


if __name__ == "__main__":
    main()
