"""The stage `bank`: extracts the feature bank of one combination of searched backbone settings, and publishes it."""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuner.base.progress import LiveView, LogProgress
from tuner.base.pulse import beat
from tuner.base.steps import Step
from tuner.data.kinds import DATASETS
from tuner.features.extract import BankSource
from tuner.features.kinds import BACKBONES
from tuner.search.execute.banks import ChangedDataError, make_bank
from tuner.search.execute.job import Progress as Report
from tuner.search.execute.job import StageJob


def run_bank(job: StageJob, _: Path) -> None:
    """Extract the bank and publish it; what an earlier attempt on this machine has extracted is kept.

    Raises:
        ChangedDataError: it is not the bank that the search has settled at its start.
    """
    data, backbone = job.spec.settings["data"], job.spec.settings["backbone"]
    source = BankSource(_settings(DATASETS[data["name"]], data), _settings(BACKBONES[backbone["name"]], backbone))
    if source.key != job.spec.key:
        raise ChangedDataError(
            "the images, the backbone, its library or the way images are read have changed since the search started "
            f"(bank {source.key[:8]}, was {job.spec.key[:8]})",
            "the data, weights and (of timm's networks) version of timm that the search started with, on every machine",
            "restore them, or start a new search under another name",
        )
    make_bank(job.artifacts, source, job.checkpoints / "bank", _Told(job.progress))


def _settings(kind: Any, values: dict[str, Any]) -> Any:
    """Settings of a kind, from plain values."""
    known = {info.name for info in dataclasses.fields(kind.settings)}
    return kind.settings(**{name: value for name, value in values.items() if name in known})


class _Told:
    """Progress of an extraction as a stage reports it: images done, heartbeats, and lines in its log.

    Args:
        report: receives (images done, images, {}).
    """

    def __init__(self, report: Report | None) -> None:
        self._report, self._log = report, LogProgress()

    def say(self, line: str) -> None:
        """A line of the log."""
        self._log.say(line)

    def warn(self, line: str) -> None:
        """A warning in the log."""
        self._log.warn(line)

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """A line when it begins; its counts are progress of the stage."""
        self.say(f"{what} ...")
        beat()
        yield _Counted(what, self._report)

    def live(self, view: LiveView) -> contextlib.AbstractContextManager[None]:
        """As in a log."""
        return self._log.live(view)


class _Counted(Step):
    """A step whose counts are heartbeats and progress of the stage."""

    def __init__(self, what: str, report: Report | None) -> None:
        super().__init__(what)
        self._report = report

    def at(self, detail: str) -> None:
        """What comes before the first image."""
        super().at(detail)
        beat()

    def count(self, done: int, total: int, unit: str = "images", doing: str = "") -> None:
        """So many images are done."""
        super().count(done, total, unit, doing)
        beat()
        if self._report is not None:
            self._report(done, total, {})
