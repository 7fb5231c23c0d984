"""The learning curves of one trial as a JSON document, and in a few lines for a terminal."""

from typing import Any

from rich.console import RenderableType

from tuner.base.tables import Column, FittedTable, note
from tuner.errors import TunerError
from tuner.search.record.home import SearchHome
from tuner.search.record.state import TrialRecord
from tuner.search.record.values import curves_of, read_curves
from tuner.search.stages import rung_stage, trained

MEASURED = "val_loss"
COLUMNS = {
    "loss": "loss, training",
    MEASURED: "loss, validation",
    "accuracy": "accuracy %, training",
    "val_accuracy": "accuracy %, validation",
}


def curves_document(home: SearchHome, record: TrialRecord) -> dict[str, Any]:
    """Of each stage that trained: one row per epoch, the epochs of the whole training, and why rows are missing."""
    found: dict[str, Any] = {}
    for stage in trained():
        if (run := curves_of(record, stage.name)) is None:
            continue
        source, key = run
        try:
            rows = read_curves(home.artifacts, source, key)
            missing = "" if all("epoch" in row for row in rows) else "they do not say which epoch a value is of"
        except TunerError as error:
            rows, missing = [], error.what
        stopped = source == rung_stage().name and record.rung_epochs is not None
        whole = record.rung_epochs[1] if stopped and record.rung_epochs else len(rows)
        found[stage.name] = {"epochs": whole, "rows": [] if missing else rows, "missing": missing}
    return found


def curves_text(document: dict[str, Any]) -> list[RenderableType]:
    """The epochs at which a training was measured on validation images, and its last; nothing of no training."""
    shown = [
        (stage, row, told["epochs"])
        for stage, told in document.items()
        for row in told["rows"]
        if MEASURED in row or row is told["rows"][-1]
    ]
    lines: list[RenderableType] = []
    if shown:
        columns = [
            Column("stage", [stage for stage, _, _ in shown], weight=9),
            Column("epoch", [f"{row['epoch']:g} of {epochs}" for _, row, epochs in shown], weight=9, words=True),
        ]
        for name, heading in COLUMNS.items():
            digits = 1 if name.endswith("accuracy") else 3
            cells = [f"{row[name]:.{digits}f}" if name in row else "" for _, row, _ in shown]
            columns.append(Column(heading, cells, weight=6))
        lines.append(FittedTable(columns))
    counts = {row["val_n_images"] for _, row, _ in shown if "val_n_images" in row}
    if counts:
        images = " or ".join(f"{count:g}" for count in sorted(counts))
        lines.append(note(f"validation: {images} images, averaged weights; training: while it trains, with dropout"))
    for stage, told in document.items():
        if told["missing"]:
            lines.append(note(f"the learning curves of {stage} cannot be shown: {told['missing']}"))
        elif not any(MEASURED in row for row in told["rows"]):
            lines.append(note(f"{stage} has no validation curve: an earlier version ran it, or protocol=paper"))
    return lines
