"""Has somebody fallen silent? Told by what is seen of them, never by comparing two clocks."""

import time


class Watch:
    """Looks at the version of something that its owner keeps renewing, such as a lease.

    The time without a renewal is measured here, from look to look, by a clock that nobody sets: what the store's or
    another machine's clock says, and whether one of them steps, does not matter. Who has just begun to look
    therefore has to go on for the whole time before it may call anybody silent.

    Args:
        ttl_s: after how many seconds without a new version the owner counts as silent.
    """

    def __init__(self, ttl_s: float) -> None:
        self.ttl_s = ttl_s
        self._version: str | None = None
        self._since_s = 0.0

    def silent_s(self, version: str) -> float:
        """For how many seconds this version has been the one seen; 0 for one not seen before."""
        now_s = steady_s()
        if version != self._version:
            self._version, self._since_s = version, now_s
        return now_s - self._since_s

    def is_silent(self, version: str) -> bool:
        """Whether this version has been the one seen for a whole `ttl_s`."""
        return self.silent_s(version) > self.ttl_s


def steady_s() -> float:
    """Seconds of a clock that nobody sets and that also runs while the machine sleeps, where the system has one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
