"""How a trial's program ended, in words and numbers: proven optimal, within a gap, or stopped by the clock.

The texts are empty for a trial without a program or with an unknown one.
"""

from collections.abc import Iterable
from math import isfinite

from tuner.qpm.program_info import ProgramInfo as Program

BY_THE_CLOCK = ("deadline", "interrupted")  # another run, or a faster machine, may get further
NOISE = 1e-9  # rounding error of a closed gap
SHORT = {
    "optimal": "optimal",
    "gap": "within gap",
    "effort": "by effort",
    "deadline": "by clock",
    "interrupted": "by clock",
    "trouble": "by trouble",
}
LONG = {
    "optimal": "proven optimal",
    "gap": "within the gap asked for",
    "deadline": "stopped by the clock",
    "interrupted": "stopped by the clock",
    "effort": "stopped by its limit of effort",
    "trouble": "stopped by trouble of the solver",
}


def gap(program: Program | None) -> str:
    """The proven gap in percent without its unit: "0", "0.43", "1.3", "12"; empty where none is known."""
    share = _number(program, "gap")
    if share is None:
        return ""
    percent = 100.0 * share if share > NOISE else 0.0
    if 0.0 < percent < 0.001:
        return "<0.001"
    return f"{percent:.0f}" if percent >= 9.95 else f"{percent:.2g}"


def figure(program: Program | None, name: str) -> str:
    """`objective` or `bound`, precise enough to be told apart; empty where it is unknown."""
    value = _number(program, name)
    return "" if value is None else f"{value:.7g}"


def short(program: Program | None) -> str:
    """The status in a word or two, for a table: "optimal", "within gap", "by clock"."""
    status = _status(program)
    return SHORT.get(status, status)


def ended(program: Program | None) -> str:
    """The status in words: "stopped by the clock"; empty where it is unknown."""
    status = _status(program)
    return LONG.get(status, status)


def sentence(program: Program | None) -> str:
    """The status with its gap: "stopped by the clock, gap 1.3 %"; empty where it is unknown."""
    told, rest = ended(program), gap(program)
    if not told or _status(program) == "optimal":
        return told
    return f"{told}, gap {rest} %" if rest else f"{told}, no gap proven"


def by_the_clock(program: Program | None) -> bool:
    """Whether a time limit ended it."""
    return _status(program) in BY_THE_CLOCK


def overview(programs: Iterable[Program | None]) -> str:
    """Many programs in a line: "programs: 12 optimal, 3 within gap (up to 0.4 %)"; empty where none is known."""
    groups: dict[str, list[Program]] = {}
    for program in programs:
        if program is not None and _status(program):
            groups.setdefault(short(program), []).append(program)
    parts = []
    for word, group in groups.items():
        worst = max(group, key=lambda program: _number(program, "gap") or 0.0)
        rest = gap(worst) if word != "optimal" else ""
        parts.append(f"{len(group)} {word}" + (f" (gap up to {rest} %)" if rest else ""))
    return f"programs: {', '.join(parts)}" if parts else ""


def _status(program: Program | None) -> str:
    return (program.status or "") if program else ""


def _number(program: Program | None, name: str) -> float | None:
    value = getattr(program, name, None)
    return float(value) if isinstance(value, int | float) and isfinite(value) else None
