"""The stages that need not run: their results are in the store, or they have ended in this search.

Damaged artifacts are removed, so that they are recreated.
"""

import time
from typing import Any

from tuner.search.execute.messages import StageResult
from tuner.search.execute.plan import StageSpec
from tuner.search.record.fields import is_number
from tuner.search.record.values import read_values, stored_program
from tuner.store import Artifacts, CorruptArtifactError, MissingKeyError


class Results:
    """The known results of stages, by key."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._ended: dict[str, StageResult] = {}
        self._made_s: dict[str, float] = {}

    def get(self, key: str) -> StageResult | None:
        """How a stage ended; None: it has not ended in this search, and has not been looked up in the store."""
        return self._ended.get(key)

    def keep(self, key: str, result: StageResult) -> None:
        """Remember how a stage ended."""
        self._ended[key] = result
        self._made_s[key] = time.monotonic()

    def stored(self, spec: StageSpec) -> StageResult | None:
        """The stored result of a stage, or None; a damaged one is removed."""
        try:
            manifest = self._artifacts.find(spec.kind, spec.key)
            if manifest is None:
                return None
            values = read_values(self._artifacts, spec.key, spec.kind) if spec.row.does == "measure" else None
            if spec.row.makes_a_bank:  # banks of earlier versions do not say how long they took
                took_s: Any = manifest.meta.get("seconds")
                return StageResult("complete", float(took_s) if is_number(took_s) else 0.0)
            seconds, program = manifest.told("seconds", float), stored_program(manifest)
        except (CorruptArtifactError, MissingKeyError):
            self._artifacts.remove(spec.kind, spec.key)
            return None
        return StageResult("complete", seconds, values=values, program=program)

    def missing(self, specs: list[StageSpec]) -> int:
        """The number of stages in a sequence before the first one that is in the store."""
        return next((place for place, spec in enumerate(specs) if self.stored(spec) is not None), len(specs))

    def remove(self, kind: str, key: str, seen_s: float) -> None:
        """Remove a damaged artifact.

        Args:
            kind: of the artifact.
            key: of the artifact.
            seen_s: `time.monotonic` before it was read; a newer artifact is kept.
        """
        if self._made_s.get(key, seen_s) <= seen_s:
            self._ended.pop(key, None)
            self._artifacts.remove(kind, key)
