"""Detects missing heartbeats by observing changes, without comparing clocks of different machines."""

import time

LONGEST_LOOK = 0.5
"""Upper limit of the time counted between two observations, as a share of the TTL."""


class Watch:
    """Observes the version of a key that its owner keeps renewing, such as a lease.

    The time without a renewal is measured between observations with this machine's monotonic clock, so the clocks of
    the store and of other machines, and steps of any of them, do not matter. A new observer must therefore watch for
    the whole TTL before it can declare an owner silent. If the observer was suspended between two observations, or
    waited long for the store's response, most of that time does not count: the owner may have been suspended as well.

    Args:
        ttl_s: seconds without a new version after which the owner counts as silent.
    """

    def __init__(self, ttl_s: float) -> None:
        self.ttl_s = ttl_s
        self._version: str | None = None
        self._silent_s = self._looked_s = 0.0

    def silent_s(self, version: str) -> float:
        """Seconds for which this version has been observed unchanged; 0 for a new one."""
        now_s = steady_s()
        passed_s = min(now_s - self._looked_s, self.ttl_s * LONGEST_LOOK)
        self._silent_s = self._silent_s + passed_s if version == self._version else 0.0
        self._version, self._looked_s = version, now_s
        return self._silent_s

    def is_silent(self, version: str) -> bool:
        """Whether this version has been observed unchanged for more than `ttl_s`."""
        return self.silent_s(version) > self.ttl_s


def steady_s() -> float:
    """Seconds of a monotonic clock, including the time that the machine sleeps if the system provides that."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
