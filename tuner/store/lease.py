"""The lease: one driver a search. Who holds it renews it; who falls silent for its lifetime loses it.

Safe against clocks that differ: how long a holder has been silent is measured by the store's clock alone, and
every step is a compare-and-swap, so that of two drivers that take over at once, one wins.
"""

import json
import math
import secrets
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from types import TracebackType

from tuner.errors import TunerError
from tuner.store.names import check_name
from tuner.store.probe import probe_conditional_put
from tuner.store.store import MissingKey, Store

_SETTLE_S = 2.0
"""How long a store without conditional writes is given to show who wrote last."""


class LeaseHeld(TunerError):
    """Somebody else drives this search."""


@dataclass(frozen=True)
class Tenure:
    """What lease.json says.

    Args:
        holder: who, for people.
        since: UTC, ISO 8601.
        token: tells two holders of one name apart.
        ttl_s: for how long the holder may be silent.
        beat: counts the renewals.
        released: the holder is done.
    """

    holder: str
    since: str
    token: str
    ttl_s: float
    beat: int = 0
    released: bool = False


class Lease:
    """The right to drive a search, held for the length of a `with` block.

    Args:
        store: where the search lives.
        search: its name.
        holder: who asks, for people: user, host, process.
        ttl_s: after how many seconds of silence another driver may take over; renewed four times as often.
        wait_s: how long to wait for a holder that does not renew; one that does is never waited for. With
            `wait_s > ttl_s` a driver can be started again right after it was killed.
        is_gone: tells of a holder, by name, whether it is known to have died; its lease is taken over at once.

    Raises:
        UsageError: the name cannot be used.
    """

    def __init__(
        self,
        store: Store,
        search: str,
        holder: str,
        ttl_s: float = 60.0,
        wait_s: float = 0.0,
        is_gone: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self.store = store
        self.key = f"searches/{check_name(search)}/lease.json"
        self.wait_s = wait_s
        self.is_gone = is_gone
        self.taken_from: Tenure | None = None
        """The holder that had fallen silent, if there was one."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        self._tenure = Tenure(holder, since, secrets.token_hex(8), ttl_s)
        self._version: str | None = None
        self._renewed_s = -math.inf
        self._lost_to = ""
        self._trouble = ""
        self._guarded = True
        self._writing = threading.Lock()
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, name=f"lease-{search}", daemon=True)

    def __enter__(self) -> "Lease":
        """Acquire the lease and keep renewing it.

        Raises:
            LeaseHeld: somebody else drives the search.
            TunerError: the store cannot be reached or written to.
        """
        self._guarded = probe_conditional_put(self.store)
        if not self._guarded:
            warnings.warn(
                f"{self.store.url} ignores conditional writes: two drivers started within {_SETTLE_S:g} s "
                "might both believe that they hold the search; start one driver at a time",
                stacklevel=2,
            )
        self._acquire()
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop renewing and let go, so that the next driver need not wait."""
        self._stop.set()
        self._heart.join()
        if self._lost_to:
            return
        try:
            self._write(replace(self._tenure, released=True))
        except TunerError as trouble:
            warnings.warn(f"the lease ends by itself in {self._tenure.ttl_s:g} s: {trouble.what}", stacklevel=2)

    @property
    def lost(self) -> bool:
        """Whether somebody else may drive by now: the lease was taken, or cannot be renewed for its lifetime.

        A process that slept or got no processor for that long has not lost it yet: the store tells.
        """
        if self._is_overdue() and not (self._lost_to or self._trouble or self._stop.is_set()):
            self._renew(wait=False)
        return bool(self._lost_to) or self._is_overdue()

    def _is_overdue(self) -> bool:
        return _clock_s() - self._renewed_s > self._tenure.ttl_s

    def check(self) -> None:
        """Go on only while the lease is held.

        Raises:
            LeaseHeld: it is lost.
        """
        if self.lost:
            cause = f"taken over by {self._lost_to}" if self._lost_to else f"not renewed: {self._trouble}"
            raise LeaseHeld(
                f"the lease {self.key} in {self.store.url} is lost ({cause})",
                f"a heartbeat at least every {self._tenure.ttl_s:g} s",
                "leave the search to the other driver, or run the same command again",
            )

    def _acquire(self) -> None:
        deadline_s = _clock_s() + self.wait_s
        seen = None
        while True:
            stat = self.store.stat(self.key)
            holder = self._holder() if stat else None
            silent_s = self.store.now() - stat.modified if stat else 0.0
            if stat is None or holder is None or holder.released or self._is_over(holder, silent_s):
                self._version = stat.version if stat else None
                if self._write(self._tenure):
                    self.taken_from = None if holder is None or holder.released else holder
                    return
                continue  # somebody was faster: see who
            if seen not in (None, stat.version) or _clock_s() >= deadline_s:
                raise _held(self.key, self.store.url, holder, silent_s)
            seen = stat.version
            time.sleep(min(1.0, holder.ttl_s / 8))

    def _is_over(self, holder: Tenure, silent_s: float) -> bool:
        return silent_s > holder.ttl_s or self.is_gone(holder.holder)

    def _beat(self) -> None:
        while not self._stop.wait(self._tenure.ttl_s / 4) and not self._lost_to:
            self._renew(wait=True)

    def _renew(self, *, wait: bool) -> None:
        """Write once more; what goes wrong is kept in `_lost_to` or `_trouble`."""
        if not self._writing.acquire(blocking=wait):
            return  # the heartbeat is at it, and takes long
        try:
            if self._write(replace(self._tenure, beat=self._tenure.beat + 1)):
                self._trouble = ""
            else:
                holder = self._holder()
                self._lost_to = f"{holder.holder} since {holder.since}" if holder else "nobody"
        except TunerError as error:
            self._trouble = error.what
        finally:
            self._writing.release()

    def _write(self, tenure: Tenure) -> bool:
        """Write lease.json unless it has changed since this driver saw or wrote it; whether that worked."""
        data = json.dumps(asdict(tenure)).encode()
        asked_s = _clock_s()
        if not self._guarded:
            version = self._put_and_look(tenure, data)
        elif self._version is not None:
            version = self.store.replace(self.key, data, self._version)
        else:
            stat = self.store.stat(self.key) if self.store.put_new(self.key, data) else None
            version = stat.version if stat else None
        if version is None:
            return False
        self._tenure, self._version, self._renewed_s = tenure, version, asked_s
        return True

    def _put_and_look(self, tenure: Tenure, data: bytes) -> str | None:
        """The best a store without conditional writes allows: the last writer wins, the others notice."""
        first = self._renewed_s == -math.inf
        holder = self._holder()
        if not first and (holder is None or holder.token != tenure.token):
            return None
        self.store.put(self.key, data)
        if first:
            time.sleep(_SETTLE_S)
            holder = self._holder()
            return "unguarded" if holder and holder.token == tenure.token else None
        return "unguarded"

    def _holder(self) -> Tenure | None:
        try:
            tenure = Tenure(**json.loads(self.store.get(self.key)))
            return replace(tenure, ttl_s=float(tenure.ttl_s))
        except MissingKey:
            return None
        except (ValueError, TypeError):  # damaged: its holder is given the time of a lease to write again
            return Tenure("a driver whose lease.json is damaged", "unknown", "", self._tenure.ttl_s)


def _held(key: str, url: str, holder: Tenure, silent_s: float) -> LeaseHeld:
    rest_s = max(1, math.ceil(holder.ttl_s - silent_s))
    return LeaseHeld(
        f"{key} in {url} is held by {holder.holder} since {holder.since}, last heartbeat {max(0, silent_s):.0f} s ago",
        "one driver a search",
        f"watch the other driver or stop it; if it has died, run the same command again in {rest_s} s",
    )


def _clock_s() -> float:
    """A clock that nobody sets and that also runs while the machine sleeps, where the system has one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
