"""Joins the Ray cluster at RAY_ADDRESS or starts a private Ray here, and sets the resources of each stage."""

import contextlib
import dataclasses
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ray
import ray._private.utils as ray_utils

from tuner.base.environment import environment
from tuner.base.folders import cache_root, made_folder
from tuner.base.private import private_temporaries
from tuner.base.progress import Progress
from tuner.errors import TunerError, UsageError
from tuner.recipe import ResourcesConfig, StageResources
from tuner.search.session.address import LOCAL_RAY, is_on_loopback_only, ray_address
from tuner.search.session.gpu_share import gpu_share
from tuner.search.session.own_ray import alone, own_ray
from tuner.search.session.ray_errors import errors_to_the_log
from tuner.search.session.surroundings import cache_folder, require_surroundings
from tuner.search.stages import STAGES

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_health_check_failure_threshold": "40",  # a busy machine is not dead
    "RAY_enable_open_telemetry": "0",  # unused, and its thread may outlive ray.shutdown until interpreter exit
    "RAY_task_events_report_interval_ms": "0",  # unused; Ray would keep 100,000 of them
    "RAY_worker_niceness": "0",  # stages are the main work of the machine
    "RAY_AIR_NEW_OUTPUT": "0",  # our own progress is shown instead
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # we handle Ctrl-C ourselves
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_MAX_PENDING_TRIALS_PG": "1000",  # start budget.parallel trials at once, not one after the other
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",  # the ledger holds the state
}
ON_A_CLUSTER = {
    "RAY_BACKEND_LOG_LEVEL": "fatal",  # else Ray's core prints warnings about Ray Data's own actors on our terminal
}
SET_BY_RAY = ("PYTHONBREAKPOINT", "RAY_AUTH_MODE")
ATTEMPTS = 3
LATE = ("timed out during startup", "Timed out waiting for file")
JOIN_S = 90.0


def scratch_folder() -> Path:
    """The folder of epoch checkpoints on this node."""
    return made_folder(cache_root() / "scratch")


@contextlib.contextmanager
def connect_ray(resources: ResourcesConfig) -> Iterator[dict[str, StageResources]]:
    """Yields the resources of each stage, by name. A Ray that this process has initialised is used as it is.

    Raises:
        UsageError: a stage requests more than this machine has, or Ray can neither start here nor be joined.
        TunerError: Ray does not start.
    """
    with contextlib.ExitStack() as held:
        wanted = ENVIRONMENT if ray_address() == LOCAL_RAY else ENVIRONMENT | ON_A_CLUSTER
        settings: dict[str, str | None] = {name: os.environ.get(name, value) for name, value in wanted.items()}
        held.enter_context(environment(settings | {name: os.environ.get(name) for name in SET_BY_RAY}))
        held.enter_context(private_temporaries())
        if ray.is_initialized():  # by the user, or by a block around this one: use it as it is, and leave it running
            yield settle_resources(resources, ray.cluster_resources(), grows=_joined)  # type: ignore[no-untyped-call]
            return
        local = (address := require_surroundings()) == LOCAL_RAY
        options = held.enter_context(own_ray()) if local else {}
        if not local and is_on_loopback_only(address):
            held.enter_context(alone())
        held.enter_context(errors_to_the_log())
        listen = held.enter_context(sigterm_is_ctrl_c())
        held.callback(ray.shutdown)
        try:
            _join(address, options)
        finally:
            listen()
        held.enter_context(_growing(not local))
        yield settle_resources(resources, ray.cluster_resources(), grows=not local)  # type: ignore[no-untyped-call]


_joined = False  # whether the Ray of this process is a cluster that it has joined, which may grow


@contextlib.contextmanager
def _growing(joined: bool) -> Iterator[None]:
    """Remember for blocks inside this one whether the cluster may grow."""
    global _joined  # noqa: PLW0603  one Ray per process
    _joined = joined
    try:
        yield
    finally:
        _joined = False


def require_ray(progress: Progress) -> None:
    """Check that Ray can be started or joined, before anything is computed or locked.

    Raises:
        TunerError: naming the cause.
    """
    if ray.is_initialized():
        cache_folder()
        return
    with contextlib.ExitStack() as telling:
        if (address := ray_address()) != LOCAL_RAY:
            telling.enter_context(progress.step(f"asking the Ray cluster {address}"))
        require_surroundings()


@contextlib.contextmanager
def ray_for(resources: ResourcesConfig, progress: Progress) -> Iterator[dict[str, StageResources]]:
    """As `connect_ray`, with progress messages, because start and end take seconds."""
    if ray.is_initialized():
        with connect_ray(resources) as settled:
            yield settled
        return
    with contextlib.ExitStack() as joined:
        with progress.step("starting Ray"):
            settled = joined.enter_context(connect_ray(resources))
        yield settled
        with progress.step("closing Ray"):
            joined.close()


def _join(address: str, options: dict[str, Any]) -> None:
    """Join or start Ray; retry if a busy machine did not start Ray's processes within Ray's limit of 30 s.

    Raises:
        TunerError: it failed or took too long.
    """
    what = "Ray on this machine" if address == LOCAL_RAY else f"the Ray cluster at RAY_ADDRESS={address}"
    for _ in range(ATTEMPTS):
        try:
            with _within(JOIN_S):
                ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **options)
            return
        except _LateError:
            raise TunerError(
                f"{what} takes longer than {JOIN_S:g} s",
                "a Ray that starts or accepts us within that time",
                "run qpm-tuner doctor, then start again when machine and network are less busy",
            ) from None
        except Exception as error:  # Ray raises nothing more specific
            if not any(sign in str(error) for sign in LATE):
                raise TunerError(
                    f"{what} does not start or refuses access: {(str(error).strip() or repr(error)).splitlines()[0]}",
                    "a working Ray",
                    "run qpm-tuner doctor, which checks what Ray needs",
                ) from error
            late = error
            ray.shutdown()
    raise TunerError(
        f"Ray did not start in {ATTEMPTS} attempts: {late}",
        "a machine that starts Ray's processes within 30 s",
        "start again when the machine is less busy",
    ) from late


class _LateError(BaseException):
    """Not an `Exception`, because Ray's own retries would swallow it."""


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    """Raise `_LateError` in the block after the time limit; only in the main thread, which receives signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def hear(*_: object) -> None:
        raise _LateError

    before = signal.signal(signal.SIGALRM, hear)
    timer = threading.Timer(seconds, signal.pthread_kill, (threading.get_ident(), signal.SIGALRM))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # an unhandled signal would end the process
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)


def keep_keys_private() -> None:
    """Tune would pass the driver's AWS keys on its workers' command lines, which all users of a machine can read.

    Workers get the keys from the environment of their node.
    """
    from ray.tune.execution import class_cache

    propagated: set[str] = class_cache.ENV_VARS_TO_PROPAGATE
    propagated.difference_update([name for name in propagated if name.startswith("AWS_")])


@contextlib.contextmanager
def sigterm_is_ctrl_c() -> Iterator[Callable[[], None]]:
    """`ray job stop`, schedulers and containers end a process by SIGTERM; the block then stops as for Ctrl-C.

    The handler of the caller, such as `Interrupts`, is kept where there is one. `ray.init` would replace it twice: at
    its start by one that exits in the middle of any cleanup, which is prevented, and at its end by one in C, so the
    function that is yielded must be called after it. Ray also starts the drivers of its jobs with SIGINT blocked.
    Nothing is done in other threads than the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    before, ray_sets = signal.getsignal(signal.SIGTERM), ray_utils.set_sigterm_handler

    def listen() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.signal(signal.SIGTERM, before if callable(before) else signal.default_int_handler)

    ray_utils.set_sigterm_handler = lambda _: None
    listen()
    try:
        yield listen
    finally:
        ray_utils.set_sigterm_handler = ray_sets
        if before is not None:  # None: it was not set from Python
            signal.signal(signal.SIGTERM, before)


def settle_resources(resources: ResourcesConfig, have: dict[str, float], *, grows: bool) -> dict[str, StageResources]:
    """Resolve GPU shares of -1 (see `gpu_share`), and refuse requests that can never be met.

    Args:
        resources: the recipe's resources.
        have: CPUs and GPUs of the cluster.
        grows: whether the cluster may still grow, so that a stage may wait.
    """
    cpus, gpus = have.get("CPU", 0.0), have.get("GPU", 0.0)
    automatic = gpu_share(gpus, grows=grows)
    settled = {}
    for stage in STAGES.values():
        name = stage.resources or stage.name
        asked: StageResources = getattr(resources, name)
        share = automatic if asked.gpus < 0 else asked.gpus
        if not grows and (share > gpus or asked.cpus > cpus):
            raise UsageError(
                f"stage {stage.name} asks for {asked.cpus:g} CPUs and {share:g} GPUs",
                f"at most {cpus:g} CPUs and {gpus:g} GPUs, which this machine has",
                f"set resources.{name}.cpus or resources.{name}.gpus (0: no GPU)",
            )
        settled[stage.name] = dataclasses.replace(asked, gpus=share)
    return settled
