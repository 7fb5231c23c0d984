"""Fills in what the code itself knows best: `make pages`. A test checks that the pages are current.

A page holds a marker, `<!-- made by docs/generate.py -->`; what follows on it is written anew, what stands before it is
written by hand.
"""

import contextlib
import dataclasses
import importlib
import io
import json
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import layers
import sequence

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs" / "reference"
TUTORIALS = ROOT / "docs" / "tutorials"
MARKER = "<!-- made by docs/generate.py -->\n"
SERVICES = ("up", "status", "down")

# What a part of a recipe is about.
PARTS = {
    "": "The search as a whole",
    "data": "Images and their split",
    "backbone": "The frozen backbone",
    "adapter": "The adapter",
    "dense": "Dense training",
    "assign": "The quadratic program",
    "finetune": "Fine-tuning",
    "resnet": "The ResNet baseline",
    "resnet_qpm": "ResNet QPM",
    "sampler": "Which trials are tried",
    "budget": "How much is spent",
    "confirm": "Error bars of the front",
    "resources": "What a stage holds while it runs",
    "tracking": "The MLflow mirror",
}

KINDS = {"bool": "true or false", "int": "whole number", "float": "number", "str": "text", "dict": "mapping"}


def contents() -> dict[Path, Callable[[], str]]:
    """Every page with a generated part, and what writes that part."""
    return {
        REFERENCE / "recipe.md": recipe,
        REFERENCE / "commands.md": commands,
        REFERENCE / "metrics.md": metrics,
        REFERENCE / "events.md": events,
        TUTORIALS / "method.md": lambda: notebook("method"),
        TUTORIALS / "watch-a-solve.md": lambda: notebook("watch-a-solve"),
    }


def filled(page: Path, content: str) -> str:
    """A page with its generated part as it should be."""
    before, marker, _ = page.read_text(encoding="utf-8").partition(MARKER)
    if not marker:
        raise ValueError(f"{page} has no line {MARKER.strip()}")
    return f"{before}{MARKER}\n{content}"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def recipe() -> str:
    """All fields of a recipe, by part."""
    from tuner.recipe.reference import fields

    parts: dict[str, list[tuple[str, ...]]] = {}
    for field in fields():
        named = f"`{field.name}`" + (f" (in a space: `{field.short}`)" if field.short else "")
        default = {"True": "true", "False": "false", "": '""'}.get(str(field.default), str(field.default))
        allowed = ", ".join(filter(None, [KINDS.get(field.type, field.type), field.allowed]))
        row = (named, f"`{default}`", allowed, field.unit, field.meaning)
        parts.setdefault(field.name.partition(".")[0] if "." in field.name else "", []).append(row)
    sections = []
    for part, rows in parts.items():
        heading = PARTS.get(part, part) + (f": `{part}`" if part else "")
        sections.append(f"## {heading}\n\n" + table(("field", "default", "allowed", "unit", "meaning"), rows))
    return "\n".join(sections)


def commands() -> str:
    """The help text of every command."""
    import jobs

    called = [(f"jobs.{name}", f"qpm-tuner {name}") for name in jobs.NAMES]
    called += [(f"cluster.{name}", f"python -m cluster.{name}") for name in SERVICES]
    return "\n".join(f"## {name}\n\n```text\n{_help(module, name)}\n```\n" for module, name in called)


def _help(module: str, called: str) -> str:
    before, out = sys.argv, io.StringIO()
    sys.argv = [called]
    try:
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            importlib.import_module(module).main(["--help"])
    finally:
        sys.argv = before
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())


def metrics() -> str:
    """The table of metrics, and each one's formula."""
    from tuner.qpm import METRICS

    rows: list[tuple[str, ...]] = []
    formulas: list[tuple[str, ...]] = []
    for metric in METRICS.values():
        better = "no goal" if metric.no_goal else {"max": "higher", "min": "lower"}[metric.direction]
        needs = [need.what for need in metric.data_needs] + [
            f"{need.size} >= {need.least}" for need in metric.size_needs
        ]
        span = f"{metric.low:g} to {metric.high:g}"
        rows.append((f"`{metric.name}`", metric.unit, better, span, ", ".join(needs), metric.help))
        formulas.append((f"`{metric.name}`", f"`{metric.formula}`" if metric.formula else "", _linked(metric.source)))
    first = table(("name", "unit", "better", "range", "needs", "what it says"), rows)
    return f"{first}\n## Formulas\n\n{table(('name', 'formula', 'source'), formulas)}"


def _linked(source: str) -> str:
    """A source, as a link if it is a section of these documents."""
    page, _, anchor = source.removeprefix("docs/").partition("#")
    return f"[{anchor}](../{page}#{anchor})" if anchor else source


def events() -> str:
    """The kinds of ledger events with their fields."""
    from tuner.search.record.events import KINDS as EVENTS

    sections = []
    for kind, made in EVENTS.items():
        said = (made.__doc__ or "").strip().splitlines()[0]
        rows = [(f"`{f.name}`", f"`{_type(f.type)}`") for f in dataclasses.fields(made) if f.name != "time_s"]
        sections.append(f"## {kind}\n\n{said}\n" + (f"\n{table(('field', 'type'), rows)}" if rows else ""))
    return "\n".join(sections)


def _type(kind: Any) -> str:
    text = kind if isinstance(kind, str) else kind.__name__ if type(kind) is type else str(kind)
    return (
        text.replace("typing.", "")
        .replace("tuner.search.record.events.", "")
        .replace("tuner.search.record.learned.", "")
    )


def notebook(name: str) -> str:
    """A notebook as a page, but for its heading, which the page has."""
    cells = json.loads((TUTORIALS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    texts = []
    for cell in cells:
        text = "".join(cell["source"])
        texts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join([texts[0].partition("\n")[2].strip(), *texts[1:]]) + "\n"


def pictures() -> dict[Path, Callable[[], str]]:
    """Every picture that is drawn from a text."""
    return {
        layers.PICTURE: layers.draw,
        sequence.PICTURE: lambda: sequence.draw(sequence.SOURCE.read_text(encoding="utf-8"), "The life of a trial"),
    }


def main() -> int:
    """Write all of them."""
    for page, content in contents().items():
        page.write_text(filled(page, content()), encoding="utf-8")
    for picture, drawn in pictures().items():
        picture.write_text(drawn(), encoding="utf-8")
    return 0


os.environ["COLUMNS"], os.environ["NO_COLOR"] = "100", "1"  # how wide help texts are, and that they have no colours
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
