"""The events of a ledger as the MLflow mirror takes them."""

from collections.abc import Mapping
from typing import Any

from tuner.search.record.events import Ended, Instructed, Learned, Referenced, Reopened, Suspended
from tuner.search.record.measured import Confirmed
from tuner.search.stages import model_stage

NOT_SHOWN = (Suspended.kind, Learned.kind, Referenced.kind, Instructed.kind, Confirmed.kind)
"""What confirmations say together is part of the front."""


class Mirrored:
    """Puts the events of one ledger into the form of the mirror, in their order.

    A trial that paused and went on later has two outcomes. The second one comes without the stages and the program that
    the first one had, its seconds are those of both, and its curve of fine-tuning begins after the rung.
    """

    def __init__(self) -> None:
        self._paused: dict[int, Mapping[str, Any]] = {}  # by trial: its outcome at the rung

    def of(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """An event as the mirror has it: an outcome is preceded by one event per stage."""
        if event["event"] in NOT_SHOWN:
            return []
        time_s = event["time_s"]
        if event["event"] == Reopened.kind:
            return [{"event": Reopened.kind, "trial": trial, "time_s": time_s} for trial in event["trials"]]
        before = self._paused.get(event["trial"], {}) if event["event"] == Ended.kind else {}
        had = {use["key"] for use in before.get("stages", ())}
        uses = [dict(use) for use in event.get("stages", ()) if use["key"] not in had]
        shown = dict(event)
        if before:
            shown["seconds"] += before["seconds"]
            shown["program"] = None if event.get("program") == before.get("program") else event.get("program")
            for curve in (shown, *(use for use in uses if use["stage"] == model_stage().name)):
                curve["after_epoch"] = before["rung_epochs"][0]
        if event["event"] == Ended.kind and event["outcome"] == "pruned":
            self._paused[event["trial"]] = shown | {"stages": [*before.get("stages", ()), *event["stages"]]}
        stages = [{"event": "stage", "trial": event["trial"], "time_s": time_s, **use} for use in uses]
        return [*stages, shown]
