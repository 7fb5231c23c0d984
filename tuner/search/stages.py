"""Each distinct stage runs once: the broker, a small Ray actor that every trial asks for its stages.

Known in the store: done. Running: the asker waits for the same run. Else a Ray task is started with the
resources the stage needs. The broker holds no GPU, does no work itself, and knows what to show on the screen.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from tuner.recipe import StageResources
from tuner.search.plan import StageSpec
from tuner.store import CorruptArtifact, open_artifacts

# Coordinators and the broker ask for a sliver of the head node: it is there as long as the search is, and any share
# of a CPU would keep a stage off that CPU.
ON_THE_HEAD = {"node:__internal_head__": 0.0001}

# A task whose worker or node died is started again by Ray, from its last epoch checkpoint.
NODE_LOSSES = 5

PLAN_POLL_S = 0.05


@ray.remote
def stage_task(spec: StageSpec, store_url: str, scratch: str, threads: int, broker: Any) -> dict[str, Any]:
    """Run one stage in a worker; the heavy imports happen here, not in the driver."""
    from tuner.search.work import run_stage

    last = 0.0

    def progress(done: int, epochs: int, values: dict[str, float]) -> None:
        nonlocal last
        if time.monotonic() - last > 0.5:
            last = time.monotonic()
            broker.report.remote(spec.key, done, epochs)

    return run_stage(spec, store_url, Path(scratch), threads, progress)


@dataclass
class _Run:
    """One run of a stage."""

    stage: str
    trial: int
    ref: Any
    started_s: float
    done: int = 0
    epochs: int = 0


class StageBroker:
    """Hands out stage runs; start it as a Ray actor with `start_broker`.

    Args:
        store_url: the store of artifacts.
        scratch: local folder for epoch checkpoints.
        resources: what a run of each stage holds.
    """

    def __init__(self, store_url: str, scratch: str, resources: dict[str, StageResources]) -> None:
        self._url = store_url
        self._artifacts = open_artifacts(store_url)
        self._scratch = scratch
        self._resources = resources
        self._runs: dict[str, _Run] = {}
        self._settled: dict[str, dict[str, Any]] = {}
        self._made_s: dict[str, float] = {}
        self._plans: dict[int, list[StageSpec] | None] = {}

    def hand_out(self, trial: int, stages: list[StageSpec] | None) -> None:
        """The driver says what a trial is to run; None: nothing, the trial is not needed."""
        self._plans[trial] = stages

    def plan_of(self, trial: int) -> tuple[bool, list[StageSpec] | None]:
        """(whether the driver has said what this trial is to run, what it said)."""
        return trial in self._plans, self._plans.get(trial)

    def request(self, spec: StageSpec, trial: int) -> dict[str, Any]:
        """Ask for a stage.

        Returns:
            {"result": {...}} if it is settled, else {"ref": [object reference], "shared": bool} to wait for.
        """
        settled = self._settled.get(spec.key) or self._stored(spec)
        if settled is not None:
            return {"result": settled}
        run = self._runs.get(spec.key)
        if run is not None:
            return {"ref": [run.ref], "shared": True}
        need = self._resources[spec.stage]
        options = {"num_cpus": need.cpus, "num_gpus": need.gpus, "max_retries": NODE_LOSSES}
        ref = self._start(spec, {"name": f"{spec.stage}-{spec.key[:8]}", **options})
        self.started(spec, trial, ref)
        return {"ref": [ref], "shared": False}

    def _start(self, spec: StageSpec, options: dict[str, Any]) -> Any:
        """Start a run; `options` are those of the Ray task."""
        me = ray.get_runtime_context().current_actor
        threads = max(1, round(options["num_cpus"]))
        return stage_task.options(**options).remote(spec, self._url, self._scratch, threads, me)

    def started(self, spec: StageSpec, trial: int, ref: Any) -> None:
        """A run has begun; whoever asks for the same stage from now on waits for `ref`."""
        self._runs[spec.key] = _Run(spec.stage, trial, ref, time.monotonic())

    def settle(self, key: str, result: dict[str, Any] | None) -> None:
        """A trial reports how a run ended; None: it could not be run to an end (then it may be tried again)."""
        run = self._runs.pop(key, None)
        if run is None or result is None:
            return
        if result["outcome"] == "corrupt":
            kind, key = result["damaged"]
            self.remove(kind, key, run.started_s)
        else:
            self._settled[key] = result
            self._made_s[key] = time.monotonic()

    def remove(self, kind: str, key: str, seen_s: float) -> None:
        """Remove a damaged artifact, so that it is made again.

        Args:
            kind: of the artifact.
            key: of the artifact.
            seen_s: `time.monotonic` before it was read; what has been made since, or is being made, stays.
        """
        if key not in self._runs and self._made_s.get(key, seen_s) <= seen_s:
            self._settled.pop(key, None)
            self._artifacts.remove(kind, key)

    def report(self, key: str, done: int, epochs: int) -> None:
        """A worker reports an epoch."""
        if key in self._runs:
            self._runs[key].done, self._runs[key].epochs = done, epochs

    def snapshot(self) -> list[dict[str, Any]]:
        """The runs under way: stage, trial, epochs done and in all, seconds so far."""
        now = time.monotonic()
        return [
            {
                "stage": r.stage,
                "trial": r.trial,
                "done": r.done,
                "epochs": r.epochs,
                "seconds": now - r.started_s,
            }
            for r in self._runs.values()
        ]

    def _stored(self, spec: StageSpec) -> dict[str, Any] | None:
        try:
            manifest = self._artifacts.find(spec.kind, spec.key)
        except CorruptArtifact:
            self._artifacts.remove(spec.kind, spec.key)
            return None
        if manifest is None:
            return None
        return {"outcome": "complete", "cause": None, "seconds": float(manifest.meta["seconds"])}


def start_broker(store_url: str, scratch: Path, resources: dict[str, StageResources]) -> Any:
    """Start the broker as an actor of this job; it ends with the job."""
    actor = ray.remote(StageBroker).options(num_cpus=0, max_concurrency=1, resources=ON_THE_HEAD)
    return actor.remote(store_url, str(scratch), resources)


def await_plan(broker: Any, trial: int) -> list[StageSpec] | None:
    """The stages of a trial; waits until the driver has proposed it. None: the trial is not needed."""
    while True:
        known, stages = ray.get(broker.plan_of.remote(trial))
        if known:
            return list(stages) if stages is not None else None
        time.sleep(PLAN_POLL_S)


def use_stage(broker: Any, spec: StageSpec, trial: int) -> dict[str, Any]:
    """Get one stage done, by whomever.

    Returns:
        {"stage", "key", "outcome", "cause", "damaged", "reused", "seconds" waited, "saved_s" not spent thanks to
        reuse}; `corrupt`: an input was damaged or gone, has been removed, and is to be asked for again

    Raises:
        ray.exceptions.RayError: if the run died more often than Ray may start it again.
    """
    started = time.perf_counter()
    answer = ray.get(broker.request.remote(spec, trial))
    reused = answer.get("shared", True)
    if "result" in answer:
        result = answer["result"]
    else:
        try:
            result = ray.get(answer["ref"][0])
        except ray.exceptions.RayError:
            broker.settle.remote(spec.key, None)
            raise
        ray.get(broker.settle.remote(spec.key, result))
    return {
        "stage": spec.stage,
        "key": spec.key,
        "outcome": result["outcome"],
        "cause": result["cause"],
        "damaged": result.get("damaged"),
        "reused": reused,
        "seconds": time.perf_counter() - started,
        "saved_s": result["seconds"] if reused else 0.0,
    }
