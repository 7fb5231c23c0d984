"""The largest of all processes that this one has started, by the memory that is its own."""

from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

import psutil

LOOK_S = 1.0


class Largest:
    """Looks once a second, for a block.

    Memory is the unique set size, which leaves shared pages out.
    """

    def __init__(self) -> None:
        self._mib: dict[str, float] = {}
        self._over = Event()
        self._thread = Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def figures(self, n: int = 3) -> dict[str, Any]:
        """The peak of the largest, MiB, and the largest processes by name."""
        largest = sorted(self._mib.items(), key=lambda item: -item[1])[:n]
        named = ", ".join(f"{name} {mib:,.0f}" for name, mib in largest)
        return {"largest process, MiB": round(largest[0][1]) if largest else None, "largest processes, MiB": named}

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            for process in psutil.Process().children(recursive=True):
                try:
                    name, mib = _name(process), process.memory_full_info().uss / 2**20
                except (psutil.Error, OSError):  # ended meanwhile
                    continue
                self._mib[name] = max(self._mib.get(name, 0.0), mib)


def _name(process: psutil.Process) -> str:
    """What people call it: "ray::dense", "benchmarks.rehearsal_driver", "raylet"."""
    words = process.cmdline()
    if words and words[0].startswith("ray::"):
        return words[0].split("-")[0].strip()
    return words[words.index("-m") + 1] if "-m" in words[:-1] else process.name()
