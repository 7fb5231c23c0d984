"""Shows log messages of tuner's modules while a command runs; only commands install handlers."""

import contextlib
import logging
import sys
from collections.abc import Iterator

from jobs.output import CLOCK, terminal

PACKAGES = ("tuner", "jobs", "cluster")
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


@contextlib.contextmanager
def listening(verbosity: int = 0) -> Iterator[None]:
    """Show log messages on standard error: warnings; with `-v` also information; with `-vv` everything.

    Afterwards loggers and their levels are as before.
    """
    level = LEVELS[min(verbosity, len(LEVELS) - 1)]
    handler = _handler(verbosity)
    before = {name: logging.getLogger(name).level for name in PACKAGES}
    for name in PACKAGES:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        for name, was in before.items():
            logging.getLogger(name).removeHandler(handler)
            logging.getLogger(name).setLevel(was)


class _ToStandardError(logging.Handler):
    """Writes to what standard error is at that moment: a live display puts itself there, and shows lines above it."""

    def emit(self, record: logging.LogRecord) -> None:
        """One message."""
        try:
            print(self.format(record), file=sys.stderr, flush=True)
        except OSError:
            self.handleError(record)


def _handler(verbosity: int) -> logging.Handler:
    handler = _ToStandardError()
    clock = "%H:%M:%S" if terminal(stderr=True).is_terminal else CLOCK
    where = " %(name)s:" if verbosity > 1 else ""
    handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s:{where} %(message)s", clock))
    return handler
