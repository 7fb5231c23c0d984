"""Progress in a notebook: one display below the cell that is updated in place, and lines that stay."""

import contextlib
import io
import sys
import threading
from collections.abc import Iterator
from typing import Any

from tuner.base.progress import ConsoleProgress, LiveView, LogProgress, Progress
from tuner.base.steps import Step, repeated

REFRESH_S = 1.0
WIDTH, HEIGHT = 100, 40


class NotebookProgress:
    """Shows steps and views below the running cell; see `Progress`."""

    def __init__(self) -> None:
        self._place: Any = None  # IPython's display handle, created on first use
        self._lock = threading.Lock()

    def say(self, line: str) -> None:
        """Print it."""
        print(line)

    def warn(self, line: str) -> None:
        """Print it on standard error, which notebooks show in another colour."""
        print(line, file=sys.stderr)

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """Show the step and its progress while it lasts."""
        step = Step(what)
        self._show(f"{what} ...")
        try:
            with repeated(REFRESH_S, lambda: self._show(str(step))):
                yield step
        finally:
            self._show("")

    @contextlib.contextmanager
    def live(self, view: LiveView) -> Iterator[None]:
        """Show the view as a table for the duration of the block."""

        def update() -> None:
            view.refresh()
            self._show(_as_text(view))

        try:
            with repeated(REFRESH_S, update):
                yield
        finally:
            self._show("")

    def _show(self, text: str) -> None:
        from IPython.display import display

        content = {"text/plain": text}
        with self._lock:
            if self._place is None:
                self._place = display(content, raw=True, display_id=True)  # type: ignore[no-untyped-call]
            else:
                self._place.update(content, raw=True)


def usual_progress() -> Progress:
    """The default for this process: notebook, terminal, or else standard logging."""
    if in_notebook():
        return NotebookProgress()
    if sys.stderr is not None and sys.stderr.isatty():
        from rich.console import Console

        return ConsoleProgress(Console(stderr=True))
    return LogProgress()


def in_notebook() -> bool:
    """Whether the code runs in a Jupyter kernel, whose front end can show and update HTML."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _as_text(view: LiveView) -> str:
    from rich.console import Console

    page = Console(file=io.StringIO(), width=WIDTH, force_jupyter=False, color_system=None)
    page.print(view.render(WIDTH, HEIGHT))
    return page.file.getvalue()  # type: ignore[attr-defined, no-any-return]
