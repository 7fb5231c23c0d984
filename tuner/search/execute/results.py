"""Which stages need not be run: the store has their results, or they have ended in this search.

What turns out to be damaged is removed, so that it is made again.
"""

import time

from tuner.search.execute.messages import StageResult
from tuner.search.execute.plan import StageSpec
from tuner.search.record.values import read_values, stored_program
from tuner.store import Artifacts, CorruptArtifactError, MissingKeyError


class Results:
    """The results of stages that are known, by their keys."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._ended: dict[str, StageResult] = {}
        self._made_s: dict[str, float] = {}

    def get(self, key: str) -> StageResult | None:
        """How a stage ended; None: it has not ended in this search, nor been looked for in the store."""
        return self._ended.get(key)

    def keep(self, key: str, result: StageResult) -> None:
        """Remember how a stage ended."""
        self._ended[key] = result
        self._made_s[key] = time.monotonic()

    def stored(self, spec: StageSpec) -> StageResult | None:
        """What the store has of a stage, None for nothing; what is damaged is removed."""
        try:
            manifest = self._artifacts.find(spec.kind, spec.key)
            if manifest is None:
                return None
            values = read_values(self._artifacts, spec.key) if spec.row.does == "measure" else None
            seconds, program = manifest.told("seconds", float), stored_program(manifest)
        except (CorruptArtifactError, MissingKeyError):
            self._artifacts.remove(spec.kind, spec.key)
            return None
        return StageResult("complete", seconds, values=values, program=program)

    def missing(self, specs: list[StageSpec]) -> int:
        """How many stages of a row come before the first one that the store has."""
        return next((place for place, spec in enumerate(specs) if self.stored(spec) is not None), len(specs))

    def remove(self, kind: str, key: str, seen_s: float) -> None:
        """Remove a damaged artifact.

        Args:
            kind: of the artifact.
            key: of the artifact.
            seen_s: `time.monotonic` before it was read; what has been made since stays.
        """
        if self._made_s.get(key, seen_s) <= seen_s:
            self._ended.pop(key, None)
            self._artifacts.remove(kind, key)
