"""Shows log messages of tuner's modules while a command runs; only commands install handlers."""

import contextlib
import logging
import sys
from collections.abc import Iterator

from rich.logging import RichHandler

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


def _handler(verbosity: int) -> logging.Handler:
    if (console := terminal(stderr=True)).is_terminal:
        return RichHandler(console=console, show_path=verbosity > 1, markup=False, log_time_format="%H:%M:%S")
    handler = logging.StreamHandler(sys.stderr)
    where = " %(name)s:" if verbosity > 1 else ""
    handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s:{where} %(message)s", CLOCK))
    return handler
