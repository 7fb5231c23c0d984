"""What Ray's processes report, such as that a worker died, goes to Ray's logger, and not to standard output."""

import contextlib
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import ray._private.worker as ray_worker


@contextlib.contextmanager
def errors_to_the_log() -> Iterator[None]:
    """Let Ray print nothing in the block: standard output is for results, such as a JSON document.

    Ray prints these reports whatever `log_to_driver` says. What the end of a worker means for a trial is told by us.
    """

    def log(data: Mapping[str, Any], ignore_prefix: bool) -> None:
        for line in data["lines"]:
            logging.getLogger("ray").info("%s: %s", data["pid"], line)

    printed = ray_worker.print_to_stdstream
    ray_worker.print_to_stdstream = log
    try:
        yield
    finally:
        ray_worker.print_to_stdstream = printed
