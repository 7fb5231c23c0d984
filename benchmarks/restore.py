"""Time and number of requests for a driver to restore its ledger, with and without a local copy."""

import time
from collections.abc import Callable
from typing import Any

from tuner.store import Ledger, Store
from tuner.store.s3 import S3Store
from tuner.store.store import for_each


def restore(store: Store, events: int) -> dict[str, Any]:
    """Append so many events, of a search's size, and read them as a fresh driver does.

    Args:
        store: a folder or a bucket, empty.
        events: how many.

    Returns:
        Seconds and, on S3, HTTP requests, of each step.
    """
    requests = 0

    def count(**_: Any) -> None:
        nonlocal requests
        requests += 1

    if isinstance(store, S3Store):
        store.client.meta.events.register("before-send.s3", count)

    def measured(work: Callable[[], object]) -> dict[str, float]:
        nonlocal requests
        requests, started = 0, time.perf_counter()
        work()
        seconds = round(time.perf_counter() - started, 3)
        return {"seconds": seconds, **({"requests": requests} if isinstance(store, S3Store) else {})}

    ledger, steps = Ledger(store, "load"), {}
    appended = [event(number) for number in range(events)]
    steps["append"] = measured(lambda: for_each(store, ledger.append, appended))
    steps["read, as its writers left it"] = measured(Ledger(store, "load").read)
    steps["compact"] = measured(Ledger(store, "load").compact)
    fresh = Ledger(store, "load")
    steps["read after compaction"] = measured(fresh.read)
    steps["read again, nothing new"] = measured(fresh.read)
    store.delete(fresh.snapshot_key)
    without = Ledger(store, "load")
    steps["read without the copy"] = measured(without.read)
    assert len(fresh.read()) == len(without.read()) == events
    return steps


def event(number: int) -> dict[str, Any]:
    """Half of them proposals, half outcomes with four stages and fourteen metrics, as long as those of a search."""
    trial, time_s = number // 2, 1.7e9 + number
    if number % 2 == 0:
        params = {"n_features": 50, "features_per_class": 5, "width": 512, "dense.lr": 0.001 + trial * 1e-7}
        return {"event": "trial", "trial": trial, "time_s": time_s, "params": params}
    stages = [
        {"stage": stage, "key": f"{trial:032x}", "reused": False, "seconds": 2.0, "saved_s": 0.0}
        for stage in ("dense", "assign", "finetune", "evaluate")
    ]
    values = {f"metric_{n}": trial * 0.001 + n for n in range(14)}
    outcome = {"outcome": "complete", "stage": None, "cause": None, "values": values, "stages": stages}
    return {"event": "outcome", "trial": trial, "time_s": time_s, **outcome, "model": f"{trial:032x}", "seconds": 8.0}
