"""A worker's part in one stage: call its runner, publish the artifact, report how it ended.

Runs inside a Ray task, but does not depend on Ray; a test or a notebook can call `run_stage` directly.
"""

import platform
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from tuner.base.private import NoPlaceError, private_folder
from tuner.errors import InfeasibleError, TunerError
from tuner.search.execute.banks import ChangedDataError
from tuner.search.execute.job import Progress, StageJob
from tuner.search.execute.messages import Outcome, StageResult
from tuner.search.execute.plan import StageSpec
from tuner.search.execute.rung_checkpoint import remove_checkpoint
from tuner.search.execute.stage_log import StageLog
from tuner.search.record.home import versions
from tuner.store import CorruptArtifactError, MissingKeyError, StoreError, open_artifacts


def run_stage(
    spec: StageSpec, store_url: str, scratch: Path, threads: int, progress: Progress | None = None
) -> StageResult:
    """Run one stage and publish its artifact.

    Args:
        spec: the stage.
        store_url: the store with its inputs, which also receives the artifact.
        scratch: local folder for epoch checkpoints, kept between attempts at the same stage.
        threads: CPU threads to use.
        progress: called after each epoch with (done, epochs, values); by the program with (0, 0, incumbent and gap).

    Returns:
        How it ended: `complete`, `infeasible`, `failed`, `corrupt` or `halted`; the last if the store or this
        machine's disk fails, or the data have changed, which is not the trial's fault.
    """
    log, artifacts = StageLog(), open_artifacts(store_url)

    def told(done: int, epochs: int, values: dict[str, float]) -> None:
        log.epoch(done, epochs, values)
        if progress is not None:
            progress(done, epochs, values)

    with log.published(artifacts.store, spec.stage, spec.key), log.listening():
        result = _run(spec, StageJob(spec, artifacts, scratch, threads, told), threads)
        log.say(f"{result.outcome} after {result.seconds:.1f} s{f': {result.cause}' if result.cause else ''}")
        return result


def _run(spec: StageSpec, job: StageJob, threads: int) -> StageResult:
    """As `run_stage`, without a log."""
    started = time.perf_counter()
    if spec.row.runs_models:
        import torch

        torch.set_num_threads(threads)

    def ended(outcome: Outcome, cause: str | None = None, **more: Any) -> StageResult:
        return StageResult(outcome, time.perf_counter() - started, cause, **more)

    try:
        with private_folder() as folder, threadpool_limits(threads):
            values = spec.row.load_runner()(job, folder)
            if not spec.row.makes_a_bank:
                _publish(job, folder, time.perf_counter() - started)
    except InfeasibleError as error:
        return ended("infeasible", error.what)
    except (CorruptArtifactError, MissingKeyError) as error:
        return ended("corrupt", error.what, damaged=job.fetching)
    except (StoreError, NoPlaceError, ChangedDataError) as error:
        return ended("halted", error.what)
    except OSError as error:  # a fault of this machine, such as a full disk, not of the trial
        return ended("halted", f"{error.strerror or error} {error.filename or ''}".strip())
    except _failures() as error:
        return ended("failed", str(error).splitlines()[0])
    if spec.row.gives_the_model:
        remove_checkpoint(job.artifacts, spec)
    shutil.rmtree(job.checkpoints, ignore_errors=True)
    return ended("complete", values=values, program=job.program)


def _publish(job: StageJob, folder: Path, seconds: float) -> None:
    """Publish the artifact with its provenance."""
    spec = job.spec
    meta = {"stage": spec.stage, "settings": spec.settings, "inputs": spec.inputs, "seed": spec.seed}
    meta |= {"seconds": seconds, "timing": job.timing, "made_with": made_with(spec, job.threads)}
    meta["program"] = None if job.program is None else job.program.to_json()
    job.artifacts.publish(spec.kind, spec.key, folder, meta)


def _failures() -> tuple[type[Exception], ...]:
    """What ends a trial as failed: an error that has a word for it, and a GPU without room if torch is there."""
    if "torch" not in sys.modules:
        return (TunerError,)
    import torch

    return TunerError, torch.OutOfMemoryError


def made_with(spec: StageSpec, threads: int) -> dict[str, Any]:
    """What a stage's bytes depend on besides its key: device, CPU threads, versions of libraries."""
    simd = np.show_config(mode="dicts")["SIMD Extensions"]["found"]  # vector instructions round differently
    device, name = "cpu", " ".join([platform.machine(), *simd[-1:]])
    if spec.row.runs_models:
        import torch

        from tuner.features.device import choose_device

        chosen = choose_device("auto")
        device = chosen.type
        capability = torch.backends.cpu.get_cpu_capability()
        name = torch.cuda.get_device_name(chosen) if device == "cuda" else f"{platform.machine()} {capability}"
    return {"device": device, "device_name": name, "threads": threads, "versions": versions()}
