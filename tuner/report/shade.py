"""The third objective in a picture of two: the members' colour, in five steps, and the legend that says so."""

from collections.abc import Sequence
from html import escape

from tuner.front import words
from tuner.front.pareto import Objective, Point

STEPS = 5
SWATCH = 16  # pixels
# From worse to better; the better, the further from the paper's colour, and none nearer to it than 3:1.
STYLE = """
.front { --shade0: #b8860b; --shade1: #5f9a3a; --shade2: #21908d; --shade3: #31688e; --shade4: #440154; }
@media (prefers-color-scheme: dark) { .front { --shade0: #7a5ba8; --shade1: #4a86c5; --shade2: #2fb3a3;
  --shade3: #93d741; --shade4: #fde725; } }
"""


class Shade:
    """Values of an objective as one of five colours, from its worst member to its best.

    Args:
        objective: what the colour means.
        members: those that are coloured, at least one.
    """

    def __init__(self, objective: Objective, members: Sequence[Point]) -> None:
        values = [p.values[objective.name] for p in members]
        self.objective = objective
        worst, best = (min, max) if objective.direction == "max" else (max, min)
        self.worst, self.best = worst(values), best(values)

    def of(self, point: Point) -> int:
        """The step of a point, 0 the worst and 4 the best; the best where all are equal."""
        extent = self.best - self.worst
        share = (point.values[self.objective.name] - self.worst) / extent if extent else 1.0
        return max(0, min(STEPS - 1, int(share * STEPS)))

    def fill(self, point: Point) -> str:
        """The attribute that colours a dot."""
        return f' style="fill: var(--shade{self.of(point)})"'

    def legend(self, right: float, y: float) -> list[str]:
        """Name, both ends and the five colours, ending at pixel `right`, around the line at `y`."""
        name, unit = words.name(self.objective.name), self.objective.unit
        known = f"colour: {name}{f' [{unit}]' if unit else ''}, {self.worst:.3g}"
        end = f"{self.best:.3g} (better)"
        left = right - 7 * len(end) - STEPS * SWATCH - 8
        parts = [f'<text x="{left - 8:.0f}" y="{y}" text-anchor="end">{escape(known)}</text>']
        parts += [
            f'<rect x="{left + i * SWATCH:.0f}" y="{y - 10}" width="{SWATCH}" height="11" '
            f'style="fill: var(--shade{i})"/>'
            for i in range(STEPS)
        ]
        return [*parts, f'<text x="{left + STEPS * SWATCH + 8:.0f}" y="{y}">{escape(end)}</text>']
