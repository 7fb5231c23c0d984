"""Restores the user's process after a search: environment, signal handlers, logger levels, exception hook, `random`.

A search runs inside the user's notebook or script. Libraries that it loads change all five.
"""

import contextlib
import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Iterator

KEPT_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGUSR2)


@contextlib.contextmanager
def unchanged_process() -> Iterator[None]:
    """Undo the block's changes at its end; loggers that did not exist before are left alone."""
    environment, hook = dict(os.environ), sys.excepthook
    in_main = threading.current_thread() is threading.main_thread()  # others may not set handlers
    handlers = {number: signal.getsignal(number) for number in KEPT_SIGNALS} if in_main else {}
    drawn = random.getstate() if in_main else None  # other threads would be given their numbers again
    levels = {logger: logger.level for logger in _loggers()}
    try:
        yield
    finally:
        for name in os.environ.keys() - environment.keys():
            del os.environ[name]
        for name, value in environment.items():
            if os.environ.get(name) != value:
                os.environ[name] = value
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) != handler:  # None: not set from Python
                signal.signal(number, handler)
        for logger, level in levels.items():
            if logger.level != level:
                logger.setLevel(level)
        sys.excepthook = hook
        if drawn is not None:
            random.setstate(drawn)


def _loggers() -> list[logging.Logger]:
    known = list(logging.root.manager.loggerDict.values())
    return [logging.root, *(logger for logger in known if isinstance(logger, logging.Logger))]
