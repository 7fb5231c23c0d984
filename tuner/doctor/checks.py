"""Checks the prerequisites of a search one by one: reports a fact if all is well, otherwise what to do."""

import contextlib
import importlib.metadata
import os
import platform
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from packaging.requirements import Requirement

from tuner.base.folders import cache_root, home_path
from tuner.errors import TunerError
from tuner.recipe import ResourcesConfig
from tuner.search.session.address import LOCAL_RAY, ray_address
from tuner.search.session.surroundings import OF_A_START, cache_folder
from tuner.store import Store, open_store, probe_conditional_put
from tuner.store.address import parse_address

DISTRIBUTION = "qpm-tuner"
DISK_BYTES = 5_000_000_000
"""Space for a feature bank of a few thousand images, and for checkpoints."""
CLOCK_S = 60.0
"""S3 refuses requests whose clock is 15 minutes off; times in the ledger and MLflow are wrong long before that."""


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: subject of the check.
        ok: whether it passed.
        found: the finding, in one line.
        todo: what to do if it failed.
    """

    name: str
    ok: bool
    found: str
    todo: str = ""


Examine = Callable[[], Iterator[Check]]


def examine(store: str, tracking_uri: str = "") -> Iterator[Check]:
    """Run all checks, yielding each result as it becomes available.

    Args:
        store: a folder or `s3://bucket/prefix`; a small test object is written and removed.
        tracking_uri: MLflow's address; empty: MLFLOW_TRACKING_URI. If that is empty too, MLflow is not checked.
    """
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI", "")
    checks: list[tuple[str, Examine]] = [
        ("versions", versions),
        ("GPU", gpu),
        ("store", lambda: stores(open_store(store))),
        ("cache", lambda: _fact("cache", cache_folder)),
        ("disk", lambda: disk(store)),
        ("MLflow", lambda: tracking(uri)),
        ("Ray", ray_head),
        *((name, partial(_fact, name, check)) for name, check in (OF_A_START if ray_address() == LOCAL_RAY else ())),
    ]
    for name, check in checks:
        try:
            yield from check()
        except TunerError as error:
            yield Check(name, False, f"{error.what} (expected: {error.expected})", error.todo)


def _fact(name: str, check: Callable[[], str]) -> Iterator[Check]:
    yield Check(name, True, check())


def versions() -> Iterator[Check]:
    """Check Python and every required library against the required versions."""
    wrong = []
    required = [Requirement(line) for line in importlib.metadata.requires(DISTRIBUTION) or ()]
    required = [r for r in required if r.marker is None or r.marker.evaluate({"extra": ""})]
    for requirement in required:
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version} is not {requirement.specifier}")
    if wrong:
        todo = "install them: sh requirements/install.sh PYTHON search"
        yield Check("versions", False, "; ".join(wrong), todo)
    else:
        ray = importlib.metadata.version("ray")
        yield Check("versions", True, f"Python {platform.python_version()}, Ray {ray}, {len(required)} libraries")


def gpu() -> Iterator[Check]:
    """Check whether PyTorch can use the machine's GPUs."""
    import torch

    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        yield Check("GPU", True, ", ".join(f"{card.name} {card.total_memory / 1e9:.0f} GB" for card in cards))
    elif Path("/proc/driver/nvidia/version").exists():
        todo = "install the CUDA build of torch that requirements/torch.txt names, and see what nvidia-smi says"
        yield Check("GPU", False, f"the machine has a GPU, but torch {torch.__version__} cannot use it", todo)
    else:
        yield Check("GPU", True, "none; stages run on the CPU")


def stores(store: Store) -> Iterator[Check]:
    """Check that the store preserves data, honours conditional writes, and has the right time."""
    key, data = f"probes/{secrets.token_hex(8)}", secrets.token_bytes(1024)
    store.put(key, data)
    same = store.get(key) == data
    store.delete(key)
    todo = "use another store; this one loses data"
    yield Check(
        "store",
        same,
        f"{store.url}: written, read and removed" if same else f"{store.url}: read other bytes than written",
        todo,
    )
    todo = "use a folder, or a server that honours If-None-Match and If-Match (Amazon S3, MinIO, SeaweedFS, Ceph)"
    kept = probe_conditional_put(store)
    found = "conditional writes are honoured" if kept else "conditional writes are ignored, so a search is refused"
    yield Check("conditions", kept, found, todo)
    before = time.time()
    theirs = store.now()
    off_s = max(before - theirs, theirs - time.time(), 0.0)
    found = f"the store's clock is {off_s:.0f} s off" if off_s > 1 else "agrees with the store's"
    yield Check("clock", off_s <= CLOCK_S, found, "set the clocks of this machine and of the store by NTP")


def disk(store: str) -> Iterator[Check]:
    """Check the free space of the cache's disk and of a local store's disk."""
    place = parse_address(store)
    folders = {cache_root()} | ({home_path(str(place), "store").absolute()} if isinstance(place, Path) else set())
    for folder in sorted(folders):
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        free = shutil.disk_usage(existing).free
        todo = "free some space, or choose another folder (`store`, QPM_TUNER_CACHE)"
        yield Check("disk", free >= DISK_BYTES, f"{free / 1e9:.1f} GB free at {existing}", todo)


def tracking(uri: str) -> Iterator[Check]:
    """Check whether MLflow answers."""
    if not uri:
        yield Check("MLflow", True, "no MLFLOW_TRACKING_URI; each search writes its own sqlite file")
        return
    from tuner.tracking.connection import connect, describe, redact

    try:
        experiments = connect(uri).search_experiments(max_results=1)
    except Exception as error:  # MLflow raises many kinds; all are reported, without secrets
        raise describe(error, uri) from None
    yield Check("MLflow", True, f"{redact(uri, uri)} answers{'' if experiments else ', no experiments yet'}")


def ray_head() -> Iterator[Check]:
    """Check access to the cluster at RAY_ADDRESS; without one, report this machine's resources."""
    address = ray_address()
    if address == LOCAL_RAY:
        yield Check("Ray", True, f"no RAY_ADDRESS; a search starts a local Ray on {os.cpu_count()} CPUs")
        return
    import ray

    from tuner.search.session.connect import connect_ray

    with _quiet(), connect_ray(ResourcesConfig()):
        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
    locked = "with a token" if os.environ.get("RAY_AUTH_MODE", "").lower() == "token" else "without a token"
    offer = f"{resources.get('CPU', 0):g} CPUs and {resources.get('GPU', 0):g} GPUs"
    yield Check("Ray", True, f"{address}, {locked}, {offer}")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence file descriptor 2, to which Ray's core writes errors that the check reports itself."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
