"""Names beside dots in a still picture: each in the first of a few places that nothing else takes."""

from collections.abc import Sequence
from typing import NamedTuple

CHARACTER, LINE = 7.2, 12.0  # pixels of a name's text
PLACES = ((8, -7), (-8, -7), (8, 15), (-8, 15))  # to the right above, to the left above, to the right below, ...


class Box(NamedTuple):
    """A rectangle in pixels, downwards from `top`."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        """Whether they overlap."""
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom


def place(
    spots: Sequence[tuple[float, float]], texts: Sequence[str], within: Box, taken: Sequence[Box] = ()
) -> list[tuple[float, float] | None]:
    """The left end of each name's baseline, or None where there is no room for it.

    Args:
        spots: the centres of the dots, which no name covers.
        texts: their names, the most important first.
        within: the part of the picture that names may use.
        taken: what is covered already.
    """
    used = [*taken, *(Box(x - 5, y - 5, x + 5, y + 5) for x, y in spots)]
    found: list[tuple[float, float] | None] = []
    for (x, y), text in zip(spots, texts, strict=True):
        boxes = [_box(x, y, text, across, down) for across, down in PLACES]
        free = next((b for b in boxes if _inside(b, within) and not any(b.meets(other) for other in used)), None)
        found.append(None if free is None else (free.left, free.bottom - 2))
        used += [] if free is None else [free]
    return found


def _box(x: float, y: float, text: str, across: int, down: int) -> Box:
    wide = CHARACTER * len(text)
    left = x + across if across > 0 else x + across - wide
    return Box(left, y + down - LINE + 2, left + wide, y + down + 2)


def _inside(box: Box, within: Box) -> bool:
    return (
        box.left >= within.left and box.right <= within.right and box.top >= within.top and box.bottom <= within.bottom
    )
