"""Reading what evaluate and training stages left in the store, without torch."""

import json

import pyarrow.parquet as pq

from tuner.store import Artifacts

VALUES_FILE = "values.json"
CURVES_FILE = "curves.parquet"


def read_values(artifacts: Artifacts, key: str) -> dict[str, float]:
    """The metrics an evaluate stage measured."""
    values = json.loads((artifacts.fetch("stages/evaluate", key) / VALUES_FILE).read_text(encoding="utf-8"))
    assert isinstance(values, dict)
    return values


def read_curves(artifacts: Artifacts, stage: str, key: str) -> list[dict[str, float]]:
    """The learning curves of a dense or finetune stage: one row an epoch; none for other stages."""
    if stage not in ("dense", "finetune"):
        return []
    return list(pq.read_table(artifacts.fetch(f"stages/{stage}", key) / CURVES_FILE).to_pylist())
