"""Which stages need not be run: the store has them, or they have ended in this search.

What turns out to be damaged is removed, so that it is made again.
"""

import time
from typing import Any

from tuner.search.execute.plan import StageSpec
from tuner.search.record.values import read_values, stored_program
from tuner.store import Artifacts, CorruptArtifact, MissingKey


class Known:
    """The stages whose results are known, by their keys."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self._settled: dict[str, dict[str, Any]] = {}
        self._made_s: dict[str, float] = {}

    def settled(self, key: str) -> dict[str, Any] | None:
        """How a stage ended; None: it has not ended in this search, nor been looked for in the store."""
        return self._settled.get(key)

    def settle(self, key: str, result: dict[str, Any]) -> None:
        """Remember how a stage ended."""
        self._settled[key] = result
        self._made_s[key] = time.monotonic()

    def stored(self, spec: StageSpec) -> dict[str, Any] | None:
        """What the store has of a stage, None for nothing; what is damaged is removed."""
        try:
            manifest = self._artifacts.find(spec.kind, spec.key)
            if manifest is None:
                return None
            values = read_values(self._artifacts, spec.key) if spec.stage == "evaluate" else None
            told = {"seconds": manifest.told("seconds", float), "program": stored_program(manifest)}
        except (CorruptArtifact, MissingKey):
            self._artifacts.remove(spec.kind, spec.key)
            return None
        return {"outcome": "complete", "cause": None, "values": values, "trial": None, **told}

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
            self._settled.pop(key, None)
            self._artifacts.remove(kind, key)
