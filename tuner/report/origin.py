"""Where the numbers come from: the command that repeats the search, versions and machine, and its settings."""

from collections.abc import Sequence
from typing import Any

from tuner.report.analysis_views import Origin, Setting
from tuner.report.columns import plain


def origin(of: Origin) -> dict[str, Any]:
    """The section's texts; settings are grouped by their section of the recipe."""
    return {
        "command": of.command,
        "facts": list(of.facts.items()),
        "changed": [(s.name, _text(s.value), _text(s.default)) for s in of.changed],
        "same": _groups(of.same),
    }


def _groups(settings: Sequence[Setting]) -> list[tuple[str, list[tuple[str, str]]]]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for setting in settings:
        group, _, name = setting.name.rpartition(".")
        groups.setdefault(group or "search", []).append((name, _text(setting.value)))
    return list(groups.items())


def _text(value: Any) -> str:
    """A setting as it is written in a recipe, nothing as a word."""
    if value in ("", [], {}):
        return "empty"
    if isinstance(value, dict):
        pairs = value.items()
        return ", ".join(f"{n} ({_text(v)})" if isinstance(v, dict) else f"{n}: {_text(v)}" for n, v in pairs)
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return plain(value)
