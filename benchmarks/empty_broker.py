"""The broker with stages that publish an artifact and otherwise sleep; light to import, as workers do it first."""

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ray

from tuner.recipe import StageResources
from tuner.search.execute.broker import StageBroker
from tuner.search.execute.hang_detector import this_worker
from tuner.search.execute.messages import StageResult
from tuner.search.execute.plan import StageSpec
from tuner.search.record.values import VALUES_FILE
from tuner.store import open_artifacts


@ray.remote(num_returns="streaming", max_retries=0)
def empty_stages(
    specs: list[StageSpec], store_url: str, sleep_s: float, broker: Any, journal: str = ""
) -> Iterator[StageResult]:
    """Claims and publishes artifacts as stages do; their metrics are drawn by the key."""
    granted, instead = ray.get(broker.begin.remote([spec.key for spec in specs], this_worker()))
    if instead is not None:
        yield instead
    for spec in specs[:granted]:
        _note(journal, "begins", spec)
        time.sleep(sleep_s)
        values = {name: int(spec.key[i : i + 4], 16) / 65536 for i, name in ((0, "accuracy"), (4, "interpretability"))}
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / VALUES_FILE).write_text(json.dumps(values))
            open_artifacts(store_url).publish(spec.kind, spec.key, Path(folder), {"seconds": sleep_s})
        _note(journal, "is made", spec)
        yield StageResult("complete", sleep_s, values=values)


def _note(journal: str, what: str, spec: StageSpec) -> None:
    """Add a line to a journal; short appends of several processes do not mix."""
    if journal:
        with Path(journal).open("a", encoding="utf-8") as file:
            file.write(f"{spec.stage} {spec.key} {what}\n")


class EmptyStages(StageBroker):
    """The broker, its stages replaced.

    Args:
        store_url: as `StageBroker` takes it, like the two that follow.
        scratch: see there.
        resources: see there.
        sleep_s: how long each stage sleeps.
        journal: a file that gets a line when a stage begins and when it is made; empty: none.
    """

    def __init__(
        self, store_url: str, scratch: str, resources: dict[str, StageResources], sleep_s: float, journal: str = ""
    ) -> None:
        super().__init__(store_url, scratch, resources)
        self._sleep_s, self._journal = sleep_s, journal

    def _start(self, specs: list[StageSpec], options: dict[str, Any]) -> Any:
        me = ray.get_runtime_context().current_actor
        return empty_stages.options(**options).remote(specs, self._url, self._sleep_s, me, self._journal)
