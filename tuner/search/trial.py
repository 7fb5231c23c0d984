"""A trial is a coordinator that holds no CPU and no GPU: it asks for one stage after the other and reports.

It runs in a Ray Tune process of its own and imports neither torch nor mlflow.
"""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray
from ray import tune
from ray.exceptions import OutOfMemoryError, RayTaskError, WorkerCrashedError

from tuner.search.plan import StageSpec
from tuner.search.stages import await_plan, use_stage
from tuner.search.values import read_values
from tuner.store import CorruptArtifact, MissingKey, StoreFailure, open_artifacts

# A stage that raised, or whose worker died more often than Ray may start it again (out of memory, most likely).
STAGE_FAILED = (RayTaskError, WorkerCrashedError, OutOfMemoryError)


def run_trial(config: dict[str, Any]) -> None:
    """Tune's function trainable; reports one result, whose `record` is the trial's outcome event as JSON text, or null.

    Text, since Tune takes nested results apart; and strict JSON holds no NaN.

    Args:
        config: {"number": trial, "broker": actor handle, "store": url}
    """
    number, broker = config["number"], config["broker"]
    stages = await_plan(broker, number)
    record = None if stages is None else coordinate(number, stages, broker, config["store"])
    tune.report({"record": json.dumps(record, allow_nan=False)})


def coordinate(number: int, stages: list[StageSpec], broker: Any, store_url: str) -> dict[str, Any]:
    """Take one trial through its stages; a damaged artifact on the way is made again, each stage's once.

    Returns:
        The fields of the ledger's outcome event: outcome, stage, cause, values, stages, remade, model, seconds.
        Outcome `halted`, for the driver only: the feature bank is damaged or the store fails, so no trial can go on.
    """
    started = time.perf_counter()
    remade: list[str] = []
    for _ in range(len(stages) + 1):
        record = _pass(number, stages, broker, store_url)
        if record["outcome"] != "corrupt":
            break
        remade.append(record["cause"])
    else:
        record["outcome"] = "failed"
    return {**record, "remade": remade, "seconds": time.perf_counter() - started}


def coordinate_all(
    numbers: Sequence[int], rows: Sequence[list[StageSpec]], broker: Any, store_url: str
) -> list[dict[str, Any]]:
    """As `coordinate`, for independent rows of stages side by side."""
    with ThreadPoolExecutor(max(1, len(rows))) as pool:
        return list(pool.map(lambda number, stages: coordinate(number, stages, broker, store_url), numbers, rows))


def _pass(number: int, stages: list[StageSpec], broker: Any, store_url: str) -> dict[str, Any]:
    """One stage after the other, as far as it goes."""
    record: dict[str, Any] = {"outcome": "complete", "stage": None, "cause": None, "values": {}, "model": None}
    record["stages"] = []
    started_s = time.monotonic()
    for spec in stages:
        try:
            use = use_stage(broker, spec, number)
        except STAGE_FAILED as error:
            inner = getattr(error, "cause", None) or error
            if isinstance(inner, StoreFailure):  # of the broker
                return record | {"outcome": "halted", "stage": spec.stage, "cause": inner.what}
            return record | {"outcome": "failed", "stage": spec.stage, "cause": _cause(inner)}
        outcome, cause, damaged = (use.pop(name) for name in ("outcome", "cause", "damaged"))
        record["stages"].append(use)
        if outcome != "complete":
            if damaged and damaged[0] == "banks":
                outcome, cause = "halted", f"the feature bank cannot be read: {cause}"
            return record | {"outcome": outcome, "stage": spec.stage, "cause": cause}
    last = stages[-1]
    try:
        record["values"] = read_values(open_artifacts(store_url), last.key)
    except (CorruptArtifact, MissingKey) as error:
        ray.get(broker.remove.remote(last.kind, last.key, started_s))
        return record | {"outcome": "corrupt", "stage": last.stage, "cause": error.what}
    except StoreFailure as error:
        return record | {"outcome": "halted", "stage": last.stage, "cause": error.what}
    record["model"] = next((spec.key for spec in stages if spec.stage == "finetune"), None)
    return record


def _cause(error: Exception) -> str:
    """One line: what the stage raised, or that its worker died."""
    if isinstance(error, WorkerCrashedError):
        return "its worker died again and again, perhaps for want of memory"
    return f"{type(error).__name__}: {error}".splitlines()[0]
