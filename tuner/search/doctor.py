"""Is all in place for a search? One check for each thing it stands on: a fact when it is well, what to do when not."""

import contextlib
import importlib.metadata
import logging
import os
import platform
import secrets
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import Requirement

from tuner.errors import TunerError
from tuner.folders import cache_root, home_path
from tuner.store import Store, open_store, probe_conditional_put
from tuner.store.address import parse_address
from tuner.store.cache import default_limit_bytes

DISTRIBUTION = "qpm-tuner"
DISK_BYTES = 5_000_000_000
"""Room for a feature bank of some thousand images, and for checkpoints."""
CLOCK_S = 60.0
"""S3 refuses requests a quarter of an hour off; times in ledger and MLflow are wrong long before."""
CONNECT_S = 5.0


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        name: what was checked.
        ok: whether a search can rely on it.
        found: the fact, in a line.
        todo: what to do if not.
    """

    name: str
    ok: bool
    found: str
    todo: str = ""


Examine = Callable[[], Iterator[Check]]


def examine(store: str, tracking_uri: str = "") -> Iterator[Check]:
    """Check everything, one result after the other as they come.

    Args:
        store: a folder or `s3://bucket/prefix`; something small is written and removed.
        tracking_uri: MLflow's address; empty: MLFLOW_TRACKING_URI, and if that is empty there is nothing to check.
    """
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI", "")
    checks: list[tuple[str, Examine]] = [
        ("versions", versions),
        ("GPU", gpu),
        ("store", lambda: stores(open_store(store))),
        ("cache", cache),
        ("disk", lambda: disk(store)),
        ("MLflow", lambda: tracking(uri)),
        ("Ray", ray_head),
    ]
    for name, check in checks:
        try:
            yield from check()
        except TunerError as error:
            yield Check(name, False, f"{error.what} (expected: {error.expected})", error.todo)


def versions() -> Iterator[Check]:
    """Python and every library that the project requires, in the versions it requires."""
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
    """Whether PyTorch reaches the GPUs that the machine has."""
    import torch

    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        yield Check("GPU", True, ", ".join(f"{card.name} {card.total_memory / 1e9:.0f} GB" for card in cards))
    elif Path("/proc/driver/nvidia/version").exists():
        todo = "install the CUDA build of torch that requirements/torch.txt names, and see what nvidia-smi says"
        yield Check("GPU", False, f"the machine has one, torch {torch.__version__} does not reach it", todo)
    else:
        yield Check("GPU", True, "none; stages run on the CPU")


def stores(store: Store) -> Iterator[Check]:
    """Whether the store keeps what it is given, honours conditions, and agrees on the time."""
    key, data = f"probes/{secrets.token_hex(8)}", secrets.token_bytes(1024)
    store.put(key, data)
    same = store.get(key) == data
    store.delete(key)
    todo = "use another store; this one loses data"
    yield Check(
        "store", same, f"{store.url}: written, read and removed" if same else f"{store.url}: read back otherwise", todo
    )
    todo = "run one driver at a time, or use a server with If-None-Match and If-Match (AWS, MinIO, SeaweedFS)"
    kept = probe_conditional_put(store)
    yield Check("conditions", kept, "of several writers one wins" if kept else "conditional writes are ignored", todo)
    before = time.time()
    theirs = store.now()
    off_s = max(before - theirs, theirs - time.time(), 0.0)
    found = f"the store's clock is {off_s:.0f} s off" if off_s > 1 else "agrees with the store's"
    yield Check("clock", off_s <= CLOCK_S, found, "set the clocks of this machine and of the store by NTP")


def cache() -> Iterator[Check]:
    """Whether this node can keep downloads and checkpoints."""
    folder = cache_root()
    limit = default_limit_bytes()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe-{secrets.token_hex(8)}"
        probe.write_bytes(b"probe")
        probe.unlink()
    except OSError as error:
        yield Check("cache", False, f"{folder}: {error.strerror}", "set QPM_TUNER_CACHE to a folder on a local disk")
        return
    yield Check("cache", True, f"{folder}, up to {limit / 1e9:.0f} GB")


def disk(store: str) -> Iterator[Check]:
    """Whether the disks behind the cache and a local store have room."""
    place = parse_address(store)
    folders = {cache_root()} | ({home_path(str(place), "--store").absolute()} if isinstance(place, Path) else set())
    for folder in sorted(folders):
        existing = next(place for place in (folder, *folder.parents) if place.exists())
        free = shutil.disk_usage(existing).free
        todo = "free some space, or choose another folder (--store, QPM_TUNER_CACHE)"
        yield Check("disk", free >= DISK_BYTES, f"{free / 1e9:.1f} GB free at {existing}", todo)


def tracking(uri: str) -> Iterator[Check]:
    """Whether MLflow answers."""
    if not uri:
        yield Check("MLflow", True, "no MLFLOW_TRACKING_URI; a search keeps an sqlite file of its own")
        return
    from tuner.tracking.connection import connect, describe, redact

    try:
        experiments = connect(uri).search_experiments(max_results=1)
    except Exception as error:  # MLflow raises many kinds; each is told, in three parts and without secrets
        raise describe(error, uri) from None
    yield Check("MLflow", True, f"{redact(uri, uri)} answers{'' if experiments else ', still empty'}")


def ray_head() -> Iterator[Check]:
    """Whether the cluster at RAY_ADDRESS lets us in; without one, what this machine offers."""
    address = os.environ.get("RAY_ADDRESS") or "local"
    if address == "local":
        yield Check("Ray", True, f"no RAY_ADDRESS; a search starts its own on {os.cpu_count()} CPUs")
        return
    if (refused := _unreachable(address)) is not None:
        yield refused
        return
    import ray

    try:
        with _quiet():
            ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL)
            resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        cause = str(error).strip().splitlines()[0]
        todo = "check RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH; on loopback, source the cluster's env.sh"
        yield Check("Ray", False, f"{address} answers but does not let us in: {cause}", todo)
        return
    finally:
        ray.shutdown()
    locked = "with a token" if os.environ.get("RAY_AUTH_MODE", "").lower() == "token" else "without a token"
    offer = f"{resources.get('CPU', 0):g} CPUs and {resources.get('GPU', 0):g} GPUs"
    yield Check("Ray", True, f"{address}, {locked}, {offer}")


def _unreachable(address: str) -> Check | None:
    """Ray waits for minutes for an address where nobody listens; a connection tells at once."""
    parts = urlsplit(f"//{address}")
    if "://" in address or not parts.hostname or not parts.port:
        todo = "set it to HOST:PORT, such as 127.0.0.1:6379; the dashboard's URL goes into RAY_API_SERVER_ADDRESS"
        return None if address == "auto" else Check("Ray", False, f"RAY_ADDRESS={address} is no address of Ray", todo)
    try:
        socket.create_connection((parts.hostname, parts.port), CONNECT_S).close()
    except OSError as error:
        todo = "start it (python -m cluster.up), or unset RAY_ADDRESS to search on this machine alone"
        return Check("Ray", False, f"{address}: {error.strerror or error}", todo)
    return None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Ray's core writes its troubles past Python to file descriptor 2; the check tells them in a line."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
