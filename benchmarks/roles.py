"""The processes of a search and their memory: driver, mirror, broker, coordinators, workers, Ray's own."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

import psutil

ROLES = ("driver", "broker", "mirror", "coordinators", "workers", "Ray")
QUANTITIES = ("mib", "files", "threads")
LOOK_S = 1.0


@dataclass(frozen=True)
class Held:
    """What the processes of a role hold together; `mib` is their unique set size, which leaves shared pages out."""

    processes: int = 0
    mib: float = 0.0
    files: int = 0
    threads: int = 0

    def each(self, quantity: str) -> float:
        """A quantity per process: how many workers there are is Ray's affair, and no leak."""
        return float(getattr(self, quantity)) / max(1, self.processes)


@dataclass(frozen=True)
class Sample:
    """All roles at one moment."""

    trials: int
    seconds: float
    held: dict[str, Held]


@dataclass
class Observer:
    """Looks at a driver and all that it has started.

    Args:
        driver: its process id.
        trials: how many have ended.
    """

    driver: int
    trials: Callable[[], int]
    samples: list[Sample] = field(default_factory=list)
    _coordinators: set[psutil.Process] = field(default_factory=set)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Takes a sample every `LOOK_S` until the block ends."""
        stop, started = Event(), time.monotonic()

        def watch() -> None:
            while not stop.wait(LOOK_S):
                self.samples.append(Sample(self.trials(), time.monotonic() - started, self.look()))

        thread = Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def look(self) -> dict[str, Held]:
        """What every role holds now; a process that ends meanwhile counts for nothing."""
        held = dict.fromkeys(ROLES, Held())
        driver = psutil.Process(self.driver)
        for process in (driver, *driver.children(recursive=True)):
            try:
                mib = process.memory_full_info().uss / 2**20
                files, threads, role = process.num_fds(), process.num_threads(), self._role(process)
            except psutil.Error:
                continue
            so_far = held[role]
            held[role] = Held(so_far.processes + 1, so_far.mib + mib, so_far.files + files, so_far.threads + threads)
        return held

    def _role(self, process: psutil.Process) -> str:
        if process.pid == self.driver:
            return "driver"
        line = process.cmdline() or [process.name()]
        title = line[0]
        if "tuner.search.watch.mirror_process" in line:
            return "mirror"
        if title.startswith("ray::EmptyStages"):
            return "broker"
        if process in self._coordinators or title.startswith(("ray::Coordinator", "ray::ResourceTrainable")):
            self._coordinators.add(process)  # Ray names a process after what it does now, at times "ray::IDLE"
            return "coordinators"
        ours = title.startswith("ray::") and "Agent" not in title
        return "workers" if ours else "Ray"
