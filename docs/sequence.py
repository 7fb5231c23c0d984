"""Draws a sequence diagram as SVG, so that no page needs a script from elsewhere to show one.

It reads what the diagrams of these documents use of Mermaid's notation: box, participant, arrows, loop, alt, else, end.
"""

import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

EXPLANATION = Path(__file__).parent / "explanation"
SOURCE = EXPLANATION / "life-of-a-trial.mmd"
PICTURE = EXPLANATION / "life-of-a-trial.svg"
LANE, STEP, TOP, LEFT = 150, 34, 74, 90
STYLE = (
    "text{font:12px sans-serif;fill:#222;text-anchor:middle;paint-order:stroke;stroke:#f9fafc;stroke-width:4px}"
    ".box{fill:#f4f6fa;stroke:#c3cbdb}.head{font-weight:bold}"
    ".life{stroke:#9aa6bd;stroke-dasharray:3 3}.call{stroke:#1a2540;fill:none}.reply{stroke:#1a2540;fill:none;"
    "stroke-dasharray:5 3}.frame{fill:none;stroke:#5b6b8c}.note{font-style:italic;fill:#44527a;text-anchor:start}"
)
HEAD_OF_AN_ARROW = '<path d="M0,0 L9,4 L0,8z"/>'
ARROW = f'<marker id="a" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">{HEAD_OF_AN_ARROW}</marker>'
PARTICIPANT = re.compile(r"participant (\w+) as (.+)")
MESSAGE = re.compile(r"(\w+)(-?->>)(\w+): (.+)")
FRAME = re.compile(r"(loop|alt|else) (.+)")


@dataclass
class Diagram:
    """A diagram as far as it is drawn."""

    lanes: dict[str, str] = field(default_factory=dict)
    """Participants and what is written above their lines."""
    boxes: list[tuple[str, int, int]] = field(default_factory=list)
    """Name, first lane and number of lanes of each group."""
    parts: list[str] = field(default_factory=list)
    frames: list[tuple[int, int]] = field(default_factory=list)
    """Start and depth of the frames that are open."""
    y: int = TOP
    sent: int = 0

    def x(self, name: str) -> int:
        """Where the line of a participant is."""
        return LEFT + list(self.lanes).index(name) * LANE

    @property
    def right(self) -> int:
        """The right end of the frames."""
        return LEFT + (len(self.lanes) - 1) * LANE + 60

    def read(self, line: str) -> None:
        """Take the next line of the source."""
        if found := PARTICIPANT.fullmatch(line):
            self.lanes[found[1]] = found[2]
        elif line.startswith("box "):
            self.boxes.append((line[4:], len(self.lanes), -1))
        elif found := MESSAGE.fullmatch(line):
            self._message(found[1], found[3], found[4], "reply" if found[2].startswith("--") else "call")
        elif found := FRAME.fullmatch(line):
            self._frame(found[1], found[2])
        elif line == "end":
            self._end()

    def _message(self, sender: str, receiver: str, text: str, kind: str) -> None:
        self.y += STEP
        self.sent += 1
        start, end, y = self.x(sender), self.x(receiver), self.y
        shown = f"{self.sent}. {text}"
        if start == end:
            self.parts.append(f'<path d="M{start},{y - 12} h34 v12 h-31" class="{kind}" marker-end="url(#a)"/>')
            self.parts.append(f'<text x="{start + 42}" y="{y - 3}" style="text-anchor:start">{escape(shown)}</text>')
            return
        tip = end - 3 if end > start else end + 3
        self.parts.append(f'<path d="M{start},{y} H{tip}" class="{kind}" marker-end="url(#a)"/>')
        self.parts.append(f'<text x="{(start + end) // 2}" y="{y - 5}">{escape(shown)}</text>')

    def _frame(self, kind: str, text: str) -> None:
        self.y += STEP
        depth = len(self.frames) - (kind == "else")
        left = 14 + 12 * depth
        if kind == "else":
            self.parts.append(f'<path d="M{left},{self.y - 16} H{self.right - 12 * depth}" class="reply"/>')
        else:
            self.frames.append((self.y - 18, depth))
        self.parts.append(f'<text x="{left + 6}" y="{self.y - 2}" class="note">{kind}: {escape(text)}</text>')

    def _end(self) -> None:
        if not self.frames:
            name, first, _ = self.boxes[-1]
            self.boxes[-1] = (name, first, len(self.lanes) - first)
            return
        top, depth = self.frames.pop()
        self.y += 14
        left = 14 + 12 * depth
        width, height = self.right - 12 * depth - left, self.y - top
        self.parts.append(f'<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="4" class="frame"/>')


def draw(source: str, title: str) -> str:
    """The picture of a diagram.

    Args:
        source: the diagram in Mermaid's notation.
        title: of the picture.
    """
    diagram = Diagram()
    for line in source.splitlines():
        diagram.read(line.strip())
    bottom, behind = diagram.y + 24, []
    for name, first, count in diagram.boxes:
        left, width = LEFT + first * LANE - LANE // 2 + 4, count * LANE - 8
        behind.append(f'<rect x="{left}" y="4" width="{width}" height="{bottom - 8}" rx="6" class="box"/>')
        behind.append(f'<text x="{left + width // 2}" y="22" class="head">{escape(name)}</text>')
    for name, shown in diagram.lanes.items():
        x = diagram.x(name)
        behind.append(f'<path d="M{x},{TOP - 4} V{bottom - 10}" class="life"/>')
        first, _, rest = shown.rpartition("/")
        lines = [first + "/", rest] if first else shown.split(" or ")
        behind += [f'<text x="{x}" y="{44 + 14 * i}">{escape(text)}</text>' for i, text in enumerate(lines)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {diagram.right + 40} {bottom}" role="img">'
    start = [head, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", f"<defs>{ARROW}</defs>"]
    return "\n".join([*start, *behind, *diagram.parts, "</svg>\n"])
