"""A trial is a coordinator that holds no CPU and no GPU: it asks for one stage after the other and reports.

It runs in a Ray Tune process of its own and imports neither torch nor mlflow.
"""

import json
import time
from typing import Any

from ray import tune
from ray.exceptions import OutOfMemoryError, RayTaskError, WorkerCrashedError

from tuner.search.plan import StageSpec
from tuner.search.stages import use_stage
from tuner.search.values import read_values
from tuner.store import Artifacts, open_store

# Tune refuses an empty bundle, and any share of a CPU would keep a stage off that CPU: ask for the head node itself.
RESOURCES = [{"node:__internal_head__": 0.0001}]

# A stage that raised, or whose worker died more often than Ray may start it again (out of memory, most likely).
STAGE_FAILED = (RayTaskError, WorkerCrashedError, OutOfMemoryError)


def run_trial(config: dict[str, Any]) -> None:
    """Tune's function trainable; reports one result, whose `record` is the trial's outcome event as JSON text.

    Text, since Tune takes nested results apart; and strict JSON holds no NaN.

    Args:
        config: {"number": trial, "stages": list of StageSpec, "broker": actor handle, "store": url}
    """
    record = coordinate(config["number"], config["stages"], config["broker"], config["store"])
    tune.report({"record": json.dumps(record, allow_nan=False)})


def coordinate(number: int, stages: list[StageSpec], broker: Any, store_url: str) -> dict[str, Any]:
    """Take one trial through its stages; a damaged artifact on the way is made again, once for each stage.

    Returns:
        The fields of the ledger's outcome event: outcome, stage, cause, values, stages, model, seconds.
    """
    started = time.perf_counter()
    for _ in stages:
        record = _pass(number, stages, broker)
        if record["outcome"] != "corrupt":
            break
        broker.forget.remote([spec.key for spec in stages])
    else:
        record["outcome"] = "failed"
    if record["outcome"] == "complete":
        record["model"] = next(spec.key for spec in stages if spec.stage == "finetune")
        record["values"] = read_values(Artifacts(open_store(store_url)), stages[-1].key)
    return {**record, "seconds": time.perf_counter() - started}


def _pass(number: int, stages: list[StageSpec], broker: Any) -> dict[str, Any]:
    """One stage after the other, as far as it goes."""
    record: dict[str, Any] = {"outcome": "complete", "stage": None, "cause": None, "values": {}, "model": None}
    record["stages"] = []
    for spec in stages:
        try:
            use = use_stage(broker, spec, number)
        except STAGE_FAILED as error:
            return record | {"outcome": "failed", "stage": spec.stage, "cause": _cause(error)}
        outcome, cause = use.pop("outcome"), use.pop("cause")
        record["stages"].append(use)
        if outcome != "complete":
            return record | {"outcome": outcome, "stage": spec.stage, "cause": cause}
    return record


def _cause(error: Exception) -> str:
    """One line: what the stage raised, or that its worker died."""
    inner = getattr(error, "cause", None) or error
    if isinstance(inner, WorkerCrashedError):
        return "its worker died again and again, perhaps for want of memory"
    return f"{type(inner).__name__}: {inner}".splitlines()[0]
