"""The front as a static picture (SVG): for the README, MLflow and readers without scripts.

Better is always up and to the right: the axis of an objective to minimise runs backwards.
"""

from collections.abc import Mapping, Sequence
from html import escape
from math import ceil, floor, log10

from tuner.front import words
from tuner.front.pareto import Objective, Point, front, measured
from tuner.report import error_bars, labels, shade
from tuner.report.labels import Box
from tuner.report.shade import Shade

WIDTH, HEIGHT = 760, 500
LEFT, RIGHT, TOP, BOTTOM = 74, 24, 54, 62
STYLE = """
.front { --paper: #ffffff; --ink: #1d2125; --muted: #5f6770; --rule: #e4e5e7;
  --dim: #868e97; --member: #0067a3; --pick: #b94e00;
  font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
@media (prefers-color-scheme: dark) { .front { --paper: #14171a; --ink: #e8e6e2; --muted: #9aa1a9;
  --rule: #2b3036; --dim: #727b86; --member: #62b6ec; --pick: #f3a765; } }
.front .paper { fill: var(--paper); } .front .grid { stroke: var(--rule); }
.front text { fill: var(--muted); } .front .axis { fill: var(--ink); }
.front .title { fill: var(--ink); font-size: 16px; font-weight: 600; }
.front .dim { fill: var(--dim); } .front .member { fill: var(--member); }
.front .stairs { fill: none; stroke: var(--member); stroke-width: 1.5; }
.front .bar { fill: none; stroke: var(--member); }
.front .pick { fill: var(--pick); stroke: var(--paper); stroke-width: 2; }
.front .name { fill: var(--pick); font-weight: 600; }
.front .number { fill: var(--ink); font-size: 12px; }
"""


class Axis:
    """A linear scale from an objective's values to pixels, with round tick values."""

    def __init__(self, objective: Objective, values: Sequence[float], start: float, end: float) -> None:
        """Span the values with some air between two pixels; `end` is where better lies."""
        low, high = min(values), max(values)
        room = 0.08 * (high - low) or 0.02 * (objective.high - objective.low)
        self.objective = objective
        self.low, self.high = low - room, high + room
        self.start, self.end = (start, end) if objective.direction == "max" else (end, start)

    def at(self, value: float) -> float:
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, target: int = 6) -> list[float]:
        """Multiples of 1, 2 or 5 times a power of ten, about `target` of them."""
        rough = (self.high - self.low) / target
        power = 10.0 ** floor(log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= 0.8 * rough)
        return [i * step for i in range(ceil(self.low / step), floor(self.high / step) + 1)]

    def of(self, point: Point) -> float:
        """A point's value on this axis."""
        return point.values[self.objective.name]

    def label(self) -> str:
        """Name, unit and which way is better."""
        unit = f" [{self.objective.unit}]" if self.objective.unit else ""
        better = "more" if self.objective.direction == "max" else "less"
        return escape(f"{words.name(self.objective.name)}{unit}, {better} is better")


class TrialAxis(Axis):
    """The trials in their order, where there is one objective alone and hence no second axis."""

    def __init__(self, trials: Sequence[int], start: float, end: float) -> None:
        super().__init__(Objective("trial", "max", 0.0, 50.0, unit=""), trials, start, end)

    def of(self, point: Point) -> float:
        """A trial's number."""
        return point.trial

    def ticks(self, target: int = 6) -> list[float]:
        """Whole numbers."""
        return [tick for tick in super().ticks(target) if float(tick).is_integer()]

    def label(self) -> str:
        """None of them is better for its number."""
        return "trial"


def render_front(
    points: Sequence[Point],
    objectives: Sequence[Objective],
    picked: Point | None = None,
    title: str = "Pareto front",
    ranks: Mapping[int, int] | None = None,
    called: str = "picked",
) -> str:
    """One SVG of all measured trials along the first two objectives, or along the only one.

    Dominated trials are light, the front dark and, with two objectives, joined by the staircase that
    bounds the region it dominates; with more, membership counts all of them, no line is drawn, and the members'
    colour is the third objective.

    Args:
        points: all trials; those without a value of every objective are left out.
        objectives: the first goes to the right, the second up; one alone goes up, over the trials.
        picked: the chosen trial, highlighted and named.
        title: the heading.
        ranks: of the trials, 1 for members, which confirmed values leave as it is; None: by the values shown.
        called: what the highlighted trial is, in a word.

    Returns:
        The text of an SVG file, light or dark as its reader prefers; empty axes where nothing is measured.
    """
    shown = measured(points, objectives)
    members = front(shown, objectives) if ranks is None else [p for p in shown if ranks.get(p.trial) == 1]
    *across, upwards = objectives[:2]
    spans = [_span(o, shown, members) for o in objectives[:2]]
    x = Axis(across[0], spans[0], LEFT, WIDTH - RIGHT) if across else _trials(shown)
    y = Axis(upwards, spans[-1], HEIGHT - BOTTOM, TOP)
    parts = [*_frame(x, y, title, f"{len(members)} on the front, {len(shown) - len(members)} dominated")]
    on_front = {p.trial for p in members}
    parts += [_dot(p, x, y, "dim", 4) for p in shown if p.trial not in on_front]
    if len(objectives) == 2:
        parts.append(_staircase(front(members, objectives), x, y))
    parts += [bar for p in members for bar in _bars(p, x, y)]
    third = Shade(objectives[2], members) if len(objectives) > 2 and members else None
    parts += third.legend(WIDTH - RIGHT, TOP - 9) if third else []
    parts += [_dot(p, x, y, "member", 5, third) for p in members]
    named = [p for p in members if picked is None or p.trial != picked.trial]
    if picked is not None:
        parts += [_dot(picked, x, y, "pick", 8), _name(picked, x, y, called)]
    parts += _numbers(named, x, y, picked)
    body, style = "\n".join(parts), STYLE + (shade.STYLE if third else "")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="front" width="{WIDTH}" height="{HEIGHT}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">\n<style>{style}</style>\n{body}\n</svg>\n'
    )


def _span(objective: Objective, shown: Sequence[Point], members: Sequence[Point]) -> list[float]:
    """The values that an axis shows, and the ends of the members' error bars."""
    name = objective.name
    ends = [p.values[name] + sign * (p.error(name) or 0.0) for p in members for sign in (-1, 1)]
    return [*(p.values[name] for p in shown), *ends] or [objective.low, objective.high]


def _trials(shown: Sequence[Point]) -> Axis:
    return TrialAxis([p.trial for p in shown] or [0], LEFT, WIDTH - RIGHT)


def _frame(x: Axis, y: Axis, title: str, legend: str) -> list[str]:
    """Background, grid, tick labels, axis labels, title and the count of points."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    middle, centre = (LEFT + right) / 2, (TOP + bottom) / 2
    parts = [
        f'<rect class="paper" width="{WIDTH}" height="{HEIGHT}"/>',
        f'<text class="title" x="{LEFT}" y="28">{escape(title)}</text>',
        f'<text x="{right}" y="28" text-anchor="end">{escape(legend)}</text>',
        f'<text class="axis" x="{middle}" y="{HEIGHT - 16}" text-anchor="middle">{x.label()} →</text>',
        f'<text class="axis" transform="rotate(-90)" x="{-centre}" y="22" text-anchor="middle">{y.label()} →</text>',
    ]
    for tick in x.ticks():
        parts.append(f'<path class="grid" d="M{x.at(tick):.1f} {TOP}V{bottom}"/>')
        parts.append(f'<text x="{x.at(tick):.1f}" y="{bottom + 20}" text-anchor="middle">{tick:g}</text>')
    for tick in y.ticks():
        parts.append(f'<path class="grid" d="M{LEFT} {y.at(tick):.1f}H{right}"/>')
        parts.append(f'<text x="{LEFT - 10}" y="{y.at(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    return parts


def _staircase(members: Sequence[Point], x: Axis, y: Axis) -> str:
    """The boundary of what the front dominates, out to the left and bottom edges."""
    spots = sorted({_spot(p, x, y) for p in members})
    if not spots:
        return ""
    path = f"M{LEFT} {spots[0][1]:.1f}H{spots[0][0]:.1f}"
    path += "".join(f"V{top:.1f}H{right:.1f}" for right, top in spots[1:])
    return f'<path class="stairs" d="{path}V{HEIGHT - BOTTOM}"/>'


def _dot(point: Point, x: Axis, y: Axis, kind: str, radius: int, third: Shade | None = None) -> str:
    across, down = _spot(point, x, y)
    shown = [axis.objective for axis in (x, y) if not isinstance(axis, TrialAxis)]
    shown += [third.objective] if third else []
    told = ", ".join(_told(point, objective) for objective in shown)
    fill = third.fill(point) if third else ""
    return (
        f'<circle class="{kind}" cx="{across:.1f}" cy="{down:.1f}" r="{radius}"{fill}>'
        f"<title>trial {point.trial}: {escape(told)}</title></circle>"
    )


def _told(point: Point, objective: Objective) -> str:
    """A value in words, and how sure it is: accuracy 96.12 ± 1.1, n = 288."""
    name = objective.name
    return f"{words.name(name)} {point.values[name]:.4g} {error_bars.beside(point, name)}".rstrip()


def _bars(point: Point, x: Axis, y: Axis) -> list[str]:
    """One standard error to each side of a member, along each axis where it is known."""
    across, down = _spot(point, x, y)
    bars = []
    for axis in (x, y):
        error = point.error(axis.objective.name)
        if not error or isinstance(axis, TrialAxis):
            continue
        low, high = sorted(axis.at(axis.of(point) + sign * error) for sign in (-1, 1))
        path = f"M{low:.1f} {down:.1f}H{high:.1f}" if axis is x else f"M{across:.1f} {low:.1f}V{high:.1f}"
        bars.append(f'<path class="bar" d="{path}"/>')
    return bars


def _name(point: Point, x: Axis, y: Axis, called: str) -> str:
    across, down = _spot(point, x, y)
    anchor, shift = ("end", -12) if across > LEFT + 140 else ("start", 12)
    return (
        f'<text class="name" x="{across + shift:.1f}" y="{down + 20:.1f}" text-anchor="{anchor}">'
        f"trial {point.trial}, {escape(called)}</text>"
    )


def _numbers(members: Sequence[Point], x: Axis, y: Axis, picked: Point | None) -> list[str]:
    """Each member's trial beside its dot, where there is room; the picked one is named already."""
    within = Box(LEFT, TOP, WIDTH - RIGHT, HEIGHT - BOTTOM)
    taken = []
    if picked is not None:
        across, down = _spot(picked, x, y)
        left = across - 140 if across > LEFT + 140 else across
        taken = [Box(across - 9, down - 9, across + 9, down + 9), Box(left, down + 9, left + 140, down + 24)]
    texts = [str(p.trial) for p in members]
    places = labels.place([_spot(p, x, y) for p in members], texts, within, taken)
    return [
        f'<text class="number" x="{place[0]:.1f}" y="{place[1]:.1f}">{text}</text>'
        for text, place in zip(texts, places, strict=True)
        if place is not None
    ]


def _spot(point: Point, x: Axis, y: Axis) -> tuple[float, float]:
    return x.at(x.of(point)), y.at(y.of(point))
