"""Has somebody fallen silent? Told by what is seen of them, never by comparing two clocks."""

import time

LONGEST_LOOK = 0.5
"""Of the time between two looks no more than this share of the lifetime counts."""


class Watch:
    """Looks at the version of something that its owner keeps renewing, such as a lease.

    The time without a renewal is measured here, from look to look, by a clock that nobody sets: what the store's or
    another machine's clock says, and whether one of them steps, does not matter. Who has just begun to look
    therefore has to go on for the whole time before it may call anybody silent. Who was stopped between two looks, or
    waited long for the store's answer, has not looked meanwhile: perhaps the owner was stopped as well.

    Args:
        ttl_s: after how many seconds without a new version the owner counts as silent.
    """

    def __init__(self, ttl_s: float) -> None:
        self.ttl_s = ttl_s
        self._version: str | None = None
        self._silent_s = self._looked_s = 0.0

    def silent_s(self, version: str) -> float:
        """For how many seconds this version has been the one seen; 0 for one not seen before."""
        now_s = steady_s()
        passed_s = min(now_s - self._looked_s, self.ttl_s * LONGEST_LOOK)
        self._silent_s = self._silent_s + passed_s if version == self._version else 0.0
        self._version, self._looked_s = version, now_s
        return self._silent_s

    def is_silent(self, version: str) -> bool:
        """Whether this version has been the one seen for a whole `ttl_s`."""
        return self.silent_s(version) > self.ttl_s


def steady_s() -> float:
    """Seconds of a clock that nobody sets and that also runs while the machine sleeps, where the system has one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
