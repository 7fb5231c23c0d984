"""What a worker does for one stage: read the inputs from the store, call the method, publish the artifact.

Runs inside a Ray task, but knows nothing of Ray; a test or a notebook can call `run_stage` directly.
"""

import json
import platform
import shutil
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from tuner.base.metric import COUNTS, require_metrics
from tuner.base.private import NoPlace, private_folder
from tuner.errors import InfeasibleError, TunerError
from tuner.features.bank import FeatureBank, load_bank
from tuner.features.device import choose_device
from tuner.features.samples import Samples
from tuner.features.sides import split_masks
from tuner.qpm import (
    Assignment,
    DenseModel,
    LinearProbe,
    QpmModel,
    assign,
    assigned_model,
    evaluate,
    finetune,
    train_dense,
    train_linear_probe,
)
from tuner.qpm.checkpoint import UnusableCheckpoint
from tuner.qpm.program import Moment
from tuner.qpm.program.solution import relative_gap
from tuner.qpm.settings import AdapterConfig, AssignConfig, DenseConfig, FinetuneConfig
from tuner.search.execute.plan import StageSpec, digest
from tuner.search.record.home import versions
from tuner.search.record.inputs import Loaded, load_input
from tuner.search.record.values import VALUES_FILE
from tuner.store import Artifacts, CorruptArtifact, MissingKey, StoreFailure, open_artifacts

Progress = Callable[[int, int, dict[str, float]], None]


def run_stage(
    spec: StageSpec, store_url: str, scratch: Path, threads: int, progress: Progress | None = None
) -> dict[str, Any]:
    """Run one stage and publish its artifact.

    Args:
        spec: the stage.
        store_url: the store with its inputs, which also receives the artifact.
        scratch: local folder for epoch checkpoints, kept between attempts at the same stage.
        threads: CPU threads to use.
        progress: called after each epoch with (done, epochs, values); by the program with (0, 0, incumbent and gap).

    Returns:
        {"outcome": "complete" | "infeasible" | "failed" | "corrupt" | "halted", "cause": one line or None,
        "seconds": wall time, "values": what an evaluation measured, "program": how a program ended (`program_of`),
        "damaged": [kind, key] of the input that is damaged or gone (only where `corrupt`)}; `halted`: the store or
        this machine's disk fails, which is no fault of the trial
    """
    started = time.perf_counter()
    torch.set_num_threads(threads)
    job = _Job(spec, open_artifacts(store_url), scratch, threads, progress)
    try:
        with private_folder() as folder, threadpool_limits(threads):
            values = _STAGES[spec.stage](job, folder)
            seconds = time.perf_counter() - started
            meta = {"stage": spec.stage, "settings": spec.settings, "inputs": spec.inputs, "seed": spec.seed}
            meta |= {"seconds": seconds, "timing": job.timing, "made_with": made_with(threads), "program": job.program}
            job.artifacts.publish(spec.kind, spec.key, folder, meta)
    except InfeasibleError as error:
        return _ended("infeasible", error.what, started)
    except (CorruptArtifact, MissingKey) as error:
        return _ended("corrupt", error.what, started) | {"damaged": list(job.fetching)}
    except (StoreFailure, NoPlace) as error:
        return _ended("halted", error.what, started)
    except OSError as error:  # this machine's trouble, such as a full disk, and no fault of the trial
        return _ended("halted", f"{error.strerror or error} {error.filename or ''}".strip(), started)
    except (TunerError, torch.OutOfMemoryError) as error:
        return _ended("failed", str(error).splitlines()[0], started)
    shutil.rmtree(job.checkpoint.parent, ignore_errors=True)
    return _ended("complete", None, started) | {"values": values, "program": job.program}


def program_of(assignment: Assignment) -> dict[str, Any] | None:
    """How a program ended: {"objective", "bound", "gap" (a share), "status", "seconds"}; None for a random control."""
    if assignment.info["control"] != "none":
        return None
    told = {name: assignment.info[name] for name in ("objective", "bound", "gap", "status")}
    return told | {"seconds": assignment.timing["seconds"]}


def made_with(threads: int) -> dict[str, Any]:
    """What the bytes of a stage's result depend on beyond its key: device, CPU threads, versions of libraries."""
    device = choose_device("auto")
    cpu = f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"  # its vector instructions round differently
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else cpu
    return {"device": device.type, "device_name": name, "threads": threads, "versions": versions()}


class _Job:
    """One stage being run: its inputs, loaded on demand."""

    def __init__(
        self, spec: StageSpec, artifacts: Artifacts, scratch: Path, threads: int, progress: Progress | None
    ) -> None:
        self.spec = spec
        self.artifacts = artifacts
        self.progress = progress
        self.fetching = ("", "")
        # Another device or number of threads rounds otherwise, and so must not go on with this one's epochs; and a
        # search in another store, which may run the same stage, must not clear them away.
        owner = f"{spec.key}-{digest(artifacts.store.url)[:8]}"
        self.checkpoint = scratch / owner / f"{choose_device('auto').type}-{threads}.ckpt"
        self.program: dict[str, Any] | None = None
        self.timing: dict[str, Any] = {}  # seconds of the program's phases: no part of its result
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)

    def samples(self, part: str) -> Samples:
        split = json.dumps(self.spec.settings["split"], sort_keys=True)
        return self._load("banks", self.spec.inputs["bank"], lambda folder: _samples(folder, part, split))

    def input(self, stage: str) -> Any:
        """The model that an earlier stage made on the bank."""
        bank = self._load("banks", self.spec.inputs["bank"], _bank)
        return self._load(
            f"stages/{stage}", self.spec.inputs[stage], lambda folder: _LOADED[stage].load(folder).of(bank)
        )

    def table(self, dense: DenseModel) -> Assignment:
        """The assignment, which must be one of the dense model's features."""
        key = self.spec.inputs["assign"]
        return self._load("stages/assign", key, lambda folder: Assignment.load(folder).of(dense))

    def _load(self, kind: str, key: str, load: Callable[[Path], Loaded]) -> Loaded:
        self.fetching = (kind, key)
        return load_input(self.artifacts, kind, key, load)

    def tell_of_the_program(self, moment: Moment) -> None:
        """Report how far the program is: its incumbent, and the gap once there is a bound."""
        if self.progress is not None:
            gap = relative_gap(moment.bound, moment.incumbent)
            self.progress(0, 0, {"incumbent": moment.incumbent, "gap": gap})

    def trained(self, train: Callable[..., Any], *inputs: Any) -> Any:
        options = {"seed": self.spec.seed, "progress": self.progress, "checkpoint": self.checkpoint}
        try:
            return train(*inputs, **options)
        except UnusableCheckpoint:  # half written as the machine went down, or made by another version of a library
            self.checkpoint.unlink()
            return train(*inputs, **options)


@lru_cache(maxsize=1)
def _bank(folder: Path) -> FeatureBank:
    return load_bank(folder, contents=False)  # fetch has just verified it


@lru_cache(maxsize=3)
def _samples(folder: Path, part: str, split: str) -> Samples:
    """One side of a split; kept, since a worker runs many stages on the same bank."""
    bank = _bank(folder)
    settings = json.loads(split)
    return bank.samples(split_masks(bank, settings, settings["split_seed"])[part])


def _dense(job: _Job, folder: Path) -> None:
    settings = job.spec.settings
    adapter, config = AdapterConfig(**settings["adapter"]), DenseConfig(**settings["dense"])
    job.trained(train_dense, job.samples("train"), adapter, config).save(folder)


def _assign(job: _Job, folder: Path) -> None:
    config = AssignConfig(**job.spec.settings["assign"])
    dense = job.input("dense")
    assignment = assign(dense, job.samples("train"), config, seed=job.spec.seed, progress=job.tell_of_the_program)
    assignment.save(folder)
    job.program, job.timing = program_of(assignment), assignment.timing


def _finetune(job: _Job, folder: Path) -> None:
    dense = job.input("dense")
    assignment = job.table(dense)
    config = FinetuneConfig(**job.spec.settings["finetune"])
    job.trained(finetune, dense, assignment, job.samples("train"), config).save(folder)


def _probe(job: _Job, folder: Path) -> None:
    train_linear_probe(job.samples("train"), seed=job.spec.seed).save(folder)


def _evaluate(job: _Job, folder: Path) -> dict[str, float]:
    train, held_out = job.samples("train"), job.samples(job.spec.settings["held_out"])
    stage = job.spec.settings["model"]
    require_metrics(job.spec.settings)
    model = job.input(stage)
    values = evaluate(model, train, held_out)
    if stage == "finetune":  # what the program gave before fine-tuning bent the features to it (METHOD 11.1)
        dense = job.input("dense")
        untuned = assigned_model(dense, job.table(dense))
        before = evaluate(untuned, train, held_out)
        values |= {f"assigned_{name}": value for name, value in before.items() if name not in COUNTS}
    (folder / VALUES_FILE).write_text(json.dumps(values, allow_nan=False), encoding="utf-8")
    return values


def _ended(outcome: str, cause: str | None, started: float) -> dict[str, Any]:
    return {"outcome": outcome, "cause": cause, "seconds": time.perf_counter() - started}


_STAGES: dict[str, Callable[[_Job, Path], dict[str, float] | None]] = {
    "dense": _dense,
    "assign": _assign,
    "finetune": _finetune,
    "probe": _probe,
    "evaluate": _evaluate,
}
_LOADED: dict[str, Any] = {"dense": DenseModel, "finetune": QpmModel, "probe": LinearProbe}
