"""Runs the MLflow mirror in a separate low-priority process, which reads JSON lines from the driver.

MLflow takes seconds to import and tens of milliseconds per trial, which would slow down the driver. The process,
python -m tuner.search.watch.mirror_process, ends when the driver ends, for whatever reason.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any

from tuner.search.record.values import read_curves
from tuner.store import Store, open_artifacts
from tuner.tracking import Mirror
from tuner.tracking.connection import redact
from tuner.tracking.dataset import DatasetInfo
from tuner.tracking.front import Confirmed

NICENESS = 10
GRACE_S = 10.0  # for the process, in addition to the time that `close` gives MLflow


class MirrorProcess:
    """A `Mirror` in another process; every method but `close` returns at once.

    Args:
        uri: of MLflow, as `Mirror` takes it.
        search: the search's name.
        store: where its learning curves are.
        dataset: what it is trained on.
        on_open: called once, in a thread, with where to view the search, as soon as MLflow has it.
    """

    def __init__(
        self,
        uri: str,
        search: str,
        store: Store,
        dataset: DatasetInfo | None = None,
        on_open: Callable[[str], None] = lambda url: None,
    ) -> None:
        self._uri, self._on_open = uri, on_open
        self.url = redact(uri, uri)  # until MLflow has the search
        self.is_open = False
        self.warning: str | None = None
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,  # so that Ctrl-C reaches only the driver
            env={**os.environ, "PYTHONPATH": _import_path()},
        )
        self._calls: SimpleQueue[Any] = SimpleQueue()
        self._thread = threading.Thread(target=self._talk, name="mlflow-mirror", daemon=True)
        self._thread.start()
        self._calls.put([uri, search, store.url, dataset])  # through the pipe: the address may hold a password

    def publish(self, event: Mapping[str, Any]) -> None:
        """See `Mirror.publish`."""
        self.replay([event])

    def replay(self, events: Iterable[Mapping[str, Any]]) -> None:
        """See `Mirror.replay`."""
        self._calls.put(["replay", [dict(event) for event in events]])

    def front(
        self,
        members: dict[int, int],
        hypervolume_history: list[tuple[float, float]],
        files: list[Path],
        confirmed: Mapping[int, Confirmed] = MappingProxyType({}),
        pictures: Mapping[int, Path] = MappingProxyType({}),
        elapsed_s: float | None = None,
    ) -> None:
        """See `Mirror.front`."""
        names = [str(path) for path in files]
        shown = [(trial, str(path)) for trial, path in pictures.items()]
        told = list(confirmed.items())
        self._calls.put(["front", list(members.items()), hypervolume_history, names, told, shown, elapsed_s])

    def close(self, timeout_s: float) -> None:
        """Send pending data, and end; see `Mirror.close`. Sets `warning` and `url`."""
        if self._process.stdin is None or self._process.stdin.closed:
            return
        self._calls.put(["close", timeout_s])
        self._calls.put(None)
        self._thread.join(timeout_s + GRACE_S)
        self.abandon()

    def abandon(self) -> None:
        """End at once; the next start of the search sends the missing data."""
        self._process.kill()
        self._process.wait()
        self._calls.put(None)
        self._thread.join()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(BrokenPipeError):
                stream and stream.close()

    def _talk(self) -> None:
        """Pass on the calls, while another thread reads the answers."""
        assert self._process.stdin is not None
        listener = threading.Thread(target=self._listen, name="mlflow-mirror-answers", daemon=True)
        listener.start()
        with contextlib.suppress(BrokenPipeError):
            for call in iter(self._calls.get, None):
                self._process.stdin.write(json.dumps(call) + "\n")
                self._process.stdin.flush()
        listener.join()

    def _listen(self) -> None:
        """Read where the search is to be seen, and at the end what went wrong."""
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # the process was killed in the middle of a line
            for line in self._process.stdout:
                answer = json.loads(line)
                self.url = answer["url"]
                if "warning" in answer:
                    self.warning = answer["warning"]
                    return
                if not self.is_open:
                    self.is_open = True
                    self._on_open(self.url)
        self._errors.seek(0)
        last = redact((self._errors.read().strip().splitlines() or ["killed"])[-1], self._uri)
        self.warning = f"the process that fills MLflow ended ({last}); the next start sends the missing data"


def _import_path() -> str:
    """The environment's PYTHONPATH, with the folder this package was imported from in front."""
    here = str(Path(__file__).parents[2])
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))


def main() -> None:
    """Carry out the driver's calls until its pipe closes."""
    os.nice(NICENESS)
    uri, search, url, dataset = json.loads(sys.stdin.readline())
    answers, sys.stdout = sys.stdout, sys.stderr  # so that output of libraries is not mistaken for an answer

    def answer(**content: Any) -> None:
        answers.write(json.dumps(content) + "\n")  # in one piece: two threads answer
        answers.flush()

    data = None if dataset is None else DatasetInfo(*dataset)
    curves = partial(read_curves, open_artifacts(url))
    mirror = Mirror(uri, search, curves, on_open=lambda url: answer(url=url), dataset=data)
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        if name == "front":
            members, history, files, confirmed, pictures, elapsed_s = arguments
            mirror.front(
                dict(members),
                [(time, volume) for time, volume in history],
                [Path(file) for file in files],
                {trial: Confirmed(*told) for trial, told in confirmed},
                {trial: Path(file) for trial, file in pictures},
                elapsed_s,
            )
        elif name == "replay":
            mirror.replay(*arguments)
        elif name == "close":
            mirror.close(*arguments)
            answer(warning=mirror.warning, url=mirror.url)
    os._exit(0)  # the driver has ended; do not wait for other threads


if __name__ == "__main__":
    main()
