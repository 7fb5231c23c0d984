"""Standard output is for results: what Ray's processes report goes to Ray's logger."""

import logging
import os
import time

import pytest
import ray

from tuner.recipe import ResourcesConfig
from tuner.search.session.connect import connect_ray


class Kept(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.mark.slow
@pytest.mark.cluster
def test_the_end_of_a_worker_is_logged_and_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    logger, kept = logging.getLogger("ray"), Kept()
    with connect_ray(ResourcesConfig()):
        before = logger.level
        logger.addHandler(kept)
        logger.setLevel(logging.INFO)
        try:
            with pytest.raises(ray.exceptions.WorkerCrashedError):
                ray.get(ray.remote(max_retries=0)(lambda: os._exit(1)).remote())
            until = time.monotonic() + 30
            while not any("died" in line for line in kept.lines) and time.monotonic() < until:
                time.sleep(0.1)
        finally:
            logger.removeHandler(kept)
            logger.setLevel(before)
    assert any("died" in line for line in kept.lines)
    assert capsys.readouterr().out == ""
