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
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

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
    "budget": "How much is spent",
    "resources": "What a stage holds while it runs",
    "tracking": "The MLflow mirror",
}

# Where a metric's formula stands in docs/explanation/method.md, if not under its own name.
FORMULAS = {
    "plausibility_undilated": "plausibility",
    "mask_share": "plausibility",
    "sid5": "sid",
    "exact_zeros": "contrastiveness",
    "n_features_used": "compactness",
    "features_per_class_used": "compactness",
}


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
    from tuner.recipe.schema import SHORT_NAMES, Recipe, fields

    short = {path: name for name, path in SHORT_NAMES.items()}
    parts: dict[str, list[tuple[str, ...]]] = {}
    for path, value, info in fields(Recipe()):
        named = f"`{path}`" + (f" (in a space: `{short[path]}`)" if path in short else "")
        row = (named, f"`{_plain(value)}`", _allowed(value, info), str(info.metadata.get("help", "")))
        parts.setdefault(path.partition(".")[0] if "." in path else "", []).append(row)
    sections = []
    for part, rows in parts.items():
        heading = PARTS.get(part, part) + (f": `{part}`" if part else "")
        sections.append(f"## {heading}\n\n" + table(("field", "default", "allowed", "meaning"), rows))
    return "\n".join(sections)


def _plain(value: Any) -> str:
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value) or '""'


def _allowed(value: Any, info: dataclasses.Field[Any]) -> str:
    choices, low, high, automatic = (info.metadata.get(name) for name in ("choices", "low", "high", "automatic"))
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    kinds = {bool: "true or false", int: "whole number", float: "number", str: "text", list: "list", dict: "mapping"}
    limits = [f"at least {low:.10g}"] if low is not None else []
    limits += [f"at most {high:.10g}"] if high is not None else []
    text = ", ".join([kinds[type(value)], *limits])
    return text + (f"; or {automatic:g}" if automatic is not None else "")


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
    """The table of metrics."""
    from tuner.qpm import METRICS

    def rows() -> Iterator[tuple[str, ...]]:
        for metric in METRICS.values():
            better = {"max": "higher", "min": "lower"}[metric.direction]
            needs = [metric.needs] * bool(metric.needs) + [f"k >= {metric.least}"] * (metric.least > 1)
            span = f"{metric.low:g} to {metric.high:g}"
            anchor = FORMULAS.get(metric.name, metric.name.replace("_", "-"))
            formula = f"[formula](../explanation/method.md#{anchor})"
            yield f"`{metric.name}`", metric.unit, better, span, ", ".join(needs), metric.help, formula

    return table(("name", "unit", "better", "range", "needs", "what it says", "source"), rows())


def events() -> str:
    """The kinds of ledger events with their fields."""
    from tuner.search.record.events import KINDS

    sections = []
    for kind, made in KINDS.items():
        said = (made.__doc__ or "").strip().splitlines()[0]
        rows = [(f"`{f.name}`", f"`{_type(f.type)}`") for f in dataclasses.fields(made) if f.name != "time_s"]
        sections.append(f"## {kind}\n\n{said}\n" + (f"\n{table(('field', 'type'), rows)}" if rows else ""))
    return "\n".join(sections)


def _type(kind: Any) -> str:
    text = kind if isinstance(kind, str) else kind.__name__ if type(kind) is type else str(kind)
    return text.replace("typing.", "").replace("tuner.search.record.events.", "")


def notebook(name: str) -> str:
    """A notebook as a page, but for its heading, which the page has."""
    cells = json.loads((TUTORIALS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    texts = []
    for cell in cells:
        text = "".join(cell["source"])
        texts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    return "\n\n".join([texts[0].partition("\n")[2].strip(), *texts[1:]]) + "\n"


def main() -> int:
    """Write all of them, and the picture."""
    from layers import PICTURE, draw

    for page, content in contents().items():
        page.write_text(filled(page, content()), encoding="utf-8")
    PICTURE.write_text(draw(), encoding="utf-8")
    return 0


os.environ["COLUMNS"], os.environ["NO_COLOR"] = "100", "1"  # how wide help texts are, and that they have no colours
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
