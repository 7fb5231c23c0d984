"""The sides of a split that a worker keeps in memory between stages: a few, and only while there is room for the next.

All workers of a machine share its memory. Each side takes at most a share of what is free when it is loaded
(`tuner.features.samples.token_room`), and what others have loaded by then is no longer free.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuner.features.samples import Samples

MOST = 3  # sides: train, validation and test of one bank


class SidesCache:
    """The sides that were used last; a side that finds no room in memory pushes the others out first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, Samples] = OrderedDict()

    def get(self, key: Hashable, load: "Callable[[], Samples]") -> "Samples":
        """A side, loaded if it is not kept.

        Args:
            key: what it is.
            load: gives it, in memory or on the disk, whichever there is room for.
        """
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        while len(self._kept) >= MOST:
            self._kept.popitem(last=False)
        found = load()
        while found.streamed and self._kept:
            self._kept.popitem(last=False)
            found = load()
        self._kept[key] = found
        return found
