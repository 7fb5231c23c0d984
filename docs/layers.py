"""Draws the layers of the project from the contract that import-linter checks, so that picture and code agree."""

import tomllib
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "explanation" / "layers.svg"
WIDTH, HEIGHT, GAP = 880, 48, 14
STYLE = (
    "rect{fill:#f4f6fa;stroke:#5b6b8c}text{font:12px sans-serif;text-anchor:middle;fill:#333}"
    ".name{font-weight:bold;font-size:14px;fill:#1a2540}"
)

# What a package is for. A layer without an entry shows its names only.
PURPOSES = {
    "jobs": "the commands: parse, call, print",
    "cluster": "services for one machine: Ray head, MLflow, S3 server",
    "tuner.search": "one search: propose, execute, record, watch, outcome",
    "tuner.tracking": "the MLflow mirror",
    "tuner.model": "exported models",
    "tuner.card": "what an exported model says of itself",
    "tuner.report": "pages and pictures",
    "tuner.recipe": "what a search is made of",
    "tuner.qpm": "the method and the program",
    "tuner.front": "objectives, front, pick",
    "tuner.store": "a folder or S3: artifacts, ledger, lease",
    "tuner.features": "frozen backbones, feature banks",
    "tuner.data": "images, masks, splits",
    "tuner.base": "whole files, locks, settings, texts, limits",
    "tuner.errors": "errors in three parts",
}


def rows() -> list[list[str]]:
    """The layers from above to below, each with its modules."""
    contracts: list[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    found: list[list[str]] = []
    for row in layers:
        names = [name.strip(" ()") for name in row.replace(":", "|").split("|")]
        if all(name.startswith("tuner.base.") for name in names):  # files of the ground floor: one box for all
            names = ["tuner.base"]
        if names not in found:
            found.append(names)
    return found


def draw() -> str:
    """The picture, an SVG."""
    parts: list[str] = []
    for at, names in enumerate(rows()):
        each = (WIDTH - 20 - GAP * (len(names) - 1)) / len(names)
        for place, name in enumerate(names):
            parts += _box(name, 10 + place * (each + GAP), 10 + at * (HEIGHT + GAP), each, len(names) > 3)
    total = 10 + len(rows()) * (HEIGHT + GAP)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total}" role="img">'
    title = "<title>Layers: each may import those below it</title>"
    return "\n".join([head, title, f"<style>{STYLE}</style>", *parts, "</svg>\n"])


def _box(name: str, left: float, top: float, width: float, is_narrow: bool) -> list[str]:
    said = "" if is_narrow else PURPOSES.get(name, "")
    shown = name.rpartition(".")[2] if is_narrow else name
    middle, line = left + width / 2, top + (20 if said else 29)
    return [
        f'<rect x="{left:.0f}" y="{top}" width="{width:.0f}" height="{HEIGHT}" rx="6"/>',
        f'<text x="{middle:.0f}" y="{line}" class="name">{escape(shown)}</text>',
        *([f'<text x="{middle:.0f}" y="{top + 38}">{escape(said)}</text>'] if said else []),
    ]
