"""Handles Ctrl-C at any moment: answers at once, and stops gently where that is possible.

Imports nothing heavy, because it is installed before anything else is loaded.
"""

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

EXIT_CODE = 130
HEARD = (signal.SIGINT, signal.SIGTERM)
CLOSING_S = 20.0  # time for cleanup after an abort; then the process exits at once

STOPPING = "stopping; completed work is kept"
ABORTING = "aborting; completed work is kept, and the same command carries on"
CLOSING = "already stopping"


class Interrupts:
    """Handles SIGINT and SIGTERM during its `with` block in the main thread; does nothing in other threads.

    The first Ctrl-C under `gently` sets `asked`, and the work ends by itself. Any other one raises KeyboardInterrupt,
    and so does SIGTERM, because a SIGKILL usually follows it. The exception is raised only once, so that it does not
    interrupt cleanup. If cleanup takes longer than CLOSING_S, the process exits at once.

    Python runs its handler in the main thread, which a library's C code may block for a second. So each signal is
    also written into a pipe, and a separate thread answers.

    Args:
        last: the process ends after the block; later signals are ignored, so that the exit code stays what it is.
            False wherever somebody else's program goes on: its handlers are as they were.
    """

    def __init__(self, *, last: bool = False) -> None:
        self._last = last
        self.asked = False
        self._gentle: Callable[[], str] | None = None
        self._listening = self._raised = self._over = False
        self._due_s: float | None = None  # when the decision to raise was made
        self._lock = threading.RLock()  # a signal may arrive while the main thread holds it
        self._answers: list[str] = []

    def __enter__(self) -> "Interrupts":
        """Start listening."""
        self._listening = threading.current_thread() is threading.main_thread()
        if self._listening:
            self._ear, self._mouth = os.pipe()
            for end in (self._ear, self._mouth):
                os.set_blocking(end, False)
            self._wakeup = signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False)
            self._before = {number: signal.signal(number, self._handle) for number in HEARD}
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # Ray blocks SIGINT in the drivers of its jobs
            self._thread = threading.Thread(target=self._answer, name="interrupts", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop handling signals; restore the previous handlers, or ignore signals from here on if this was the last."""
        if self._listening:
            for number, handler in self._before.items():
                signal.signal(number, signal.SIG_IGN if self._last else handler or signal.SIG_DFL)
            signal.set_wakeup_fd(self._wakeup)
            if self._raised:
                show_cursor()
            self._over = True
            self._wake()
            self._thread.join()
            os.close(self._ear)
            os.close(self._mouth)

    @contextlib.contextmanager
    def gently(self, answer: Callable[[], str]) -> Iterator[None]:
        """A block in which the first Ctrl-C is only a request; `answer` gives the message, and must not block."""
        self._gentle = answer
        try:
            yield
        finally:
            self._gentle = None

    def _handle(self, *_: object) -> None:
        """The handler, called in the main thread. It does not print, since that thread may be printing already."""
        self._hear()
        self._wake()
        if self._due_s is not None and not self._raised:
            self._raised = True
            raise KeyboardInterrupt

    def _hear(self) -> None:
        """Read the pending signals, and decide what to do."""
        with self._lock, contextlib.suppress(BlockingIOError):
            for number in os.read(self._ear, 64):
                if number not in HEARD:
                    continue
                if number == signal.SIGINT and self._gentle is not None and not self.asked:
                    self.asked = True
                    self._answers.append(self._gentle())
                elif self._due_s is None:
                    self._due_s = time.monotonic()
                    self._answers.append(ABORTING if self._gentle is not None else STOPPING)
                else:
                    self._answers.append(CLOSING)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._mouth, b"\0")

    def _answer(self) -> None:
        """Print the decision, and end the process if an abort takes too long."""
        while not self._over:
            select.select([self._ear], [], [], None if self._due_s is None else 1.0)
            self._hear()
            while self._answers:
                with contextlib.suppress(OSError):  # the output is closed
                    print(self._answers.pop(0), file=sys.stderr, flush=True)
            if self._due_s is not None and time.monotonic() - self._due_s > CLOSING_S:
                show_cursor()
                os._exit(EXIT_CODE)


def show_cursor() -> None:
    """Restore the cursor, which an interrupted display may have hidden."""
    if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        sys.stdout.write("\x1b[?25h")
        sys.stdout.flush()
