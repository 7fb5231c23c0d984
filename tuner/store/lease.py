"""The lease: at most one driver per search. The holder renews it; a holder that stays silent for its TTL loses it.

Clocks of different machines are never compared: a waiting driver measures the silence, the holder measures the time
since its last renewal, each with its own monotonic clock. Every write is a compare-and-swap, so that of two concurrent
successors exactly one succeeds.
"""

import logging
import math
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType

from tuner.errors import TunerError
from tuner.store.errors import MissingKeyError, StoreError
from tuner.store.names import check_name
from tuner.store.probe import require_conditional_put
from tuner.store.store import Store
from tuner.store.tenure import MOST_BYTES, USUAL_TTL_S, Seen, Tenure, bounded_ttl_s
from tuner.store.watch import Watch, steady_s

_TRIES = 10
_log = logging.getLogger(__name__)


class LeaseHeldError(TunerError):
    """Another driver holds this search."""


class Lease:
    """The exclusive right to drive a search, held for the duration of a `with` block.

    Args:
        store: holds the search.
        search: name of the search.
        holder: human-readable name of this driver: user, host, process.
        ttl_s: seconds without a renewal after which another driver may take over, between 1 and 600; the lease is
            renewed every `ttl_s / 4`.
        wait_s: seconds to wait for a holder that does not renew; if it does renew, acquiring fails at once. With
            `wait_s > ttl_s` a driver can be restarted right after it was killed.
        is_gone: whether the holder of a given name is known to be dead; its lease is then taken over at once.
        take_over: take the lease even if its holder is alive.
        tell: called with a sentence on the holder that is waited for or replaced.

    Raises:
        UsageError: the name is invalid.
    """

    def __init__(
        self,
        store: Store,
        search: str,
        holder: str,
        ttl_s: float = USUAL_TTL_S,
        wait_s: float = 0.0,
        is_gone: Callable[[str], bool] = lambda _: False,
        *,
        take_over: bool = False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.store = store
        self.key = f"searches/{check_name(search)}/lease.json"
        self.wait_s, self.is_gone, self.take_over, self.tell = wait_s, is_gone, take_over, tell
        self.taken_from: Tenure | None = None
        """The previous holder, if it had not released the lease."""
        since = datetime.now(UTC).isoformat(timespec="seconds")
        self._tenure = Tenure(holder, since, secrets.token_hex(8), bounded_ttl_s(ttl_s))
        self._version: str | None = None
        self._renewed_s = -math.inf
        self._lost_how = ""
        self._trouble = ""
        self._writing = threading.Lock()
        self._stop = threading.Event()
        self._heart = threading.Thread(target=self._beat, name=f"lease-{search}", daemon=True)

    def __enter__(self) -> "Lease":
        """Acquire the lease and keep renewing it.

        Raises:
            LeaseHeldError: another driver holds the search.
            TunerError: the store cannot be reached or written to, or does not honour conditional writes.
        """
        require_conditional_put(self.store)
        self._acquire()
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop renewing and release the lease, so that the next driver need not wait."""
        self._stop.set()
        self._heart.join()
        if self._lost_how:
            return
        try:
            self._keep(replace(self._tenure, released=True))
        except TunerError as trouble:
            _log.warning("the lease was not released and expires in %g s: %s", self._tenure.ttl_s, trouble.what)

    @property
    def token(self) -> str:
        """Unique token of this holder."""
        return self._tenure.token

    @property
    def term(self) -> int:
        """Fencing term: the previous holder's term plus one."""
        return self._tenure.term

    @property
    def lost(self) -> bool:
        """Whether another driver may hold the search by now: the lease was taken, or not renewed within its TTL.

        A process that was suspended for that long has not necessarily lost it: it asks the store first.
        """
        if self._is_overdue() and not (self._lost_how or self._trouble or self._stop.is_set()):
            with self._writing:
                if self._is_overdue():
                    self._renew()
        return bool(self._lost_how) or self._is_overdue()

    def check(self) -> None:
        """Ask the store whether the lease is still held.

        Raises:
            LeaseHeldError: it is lost.
        """
        with self._writing:
            if not self._lost_how and not self._stop.is_set() and not self._is_as_written():
                self._renew()
        if self.lost:
            cause = self._lost_how or f"not renewed: {self._trouble}"
            raise LeaseHeldError(
                f"this driver has lost the search: the lease {self.key} in {self.store.url} was {cause}",
                f"a lease that no other driver takes over, renewed at least every {self._tenure.ttl_s:g} s; a process "
                "that is stopped, or a machine that sleeps, does not renew it",
                "finished work is not lost; leave the search to the other driver, or run the same command again",
            )

    def rise_above(self, term: int) -> None:
        """Raise this holder's term above a given one, in lease.json first, so that no successor gets a lower one.

        Raises:
            LeaseHeldError: the lease is lost.
            StoreError: the store cannot be written to.
        """
        with self._writing:
            if self._tenure.term <= term and not self._lost_how:
                self._keep(replace(self._tenure, term=term + 1))
        self.check()

    def _is_overdue(self) -> bool:
        return steady_s() - self._renewed_s > self._tenure.ttl_s

    def _is_as_written(self) -> bool:
        """Whether lease.json is still the version that this driver wrote last, less than `ttl_s` ago."""
        try:
            stat = self.store.stat(self.key)
        except StoreError as error:
            self._trouble = error.what
            return True  # unknown during an outage; a lease that is not renewed in time still becomes overdue
        return stat is not None and stat.version == self._version and not self._is_overdue()

    def _acquire(self) -> None:
        deadline_s = steady_s() + self.wait_s
        watch, first, robbed = Watch(self._tenure.ttl_s), "", None
        while True:
            seen = self._see()
            holder = seen.tenure if seen and not seen.tenure.released else None
            if seen and holder and not self.take_over and not self._is_over(holder, watch, seen.beat):
                renewed = first not in ("", seen.beat)
                if renewed or steady_s() >= deadline_s:
                    silent = f"not renewed during the {watch.silent_s(seen.beat):.0f} s that this driver waited"
                    raise _held(self.key, self.store.url, holder, "renewed just now" if renewed else silent)
                if not first:
                    self.tell(
                        f"waiting for {holder.holder}, which has held the search since {holder.since}: "
                        f"this driver takes over if there is no heartbeat for {holder.ttl_s:g} s"
                    )
                first = seen.beat
                time.sleep(min(1.0, holder.ttl_s / 8))
                continue
            if holder and self.take_over and holder.token != robbed:
                robbed = holder.token
                self.tell(
                    f"taking the search over from {holder.holder}, which has held it since {holder.since}; "
                    "if it is still running, anything it writes from now on is ignored"
                )
            self._version = seen.version if seen else None
            if self._write(replace(self._tenure, term=(seen.tenure.term if seen else 0) + 1)):
                self.taken_from = holder
                return  # otherwise another driver was faster: look again

    def _is_over(self, holder: Tenure, watch: Watch, beat: str) -> bool:
        watch.ttl_s = holder.ttl_s
        return watch.is_silent(beat) or self.is_gone(holder.holder)

    def _beat(self) -> None:
        while not self._stop.wait(self._tenure.ttl_s / 4) and not self._lost_how:
            with self._writing:
                self._renew()

    def _renew(self) -> None:
        """Write lease.json again; a failure is recorded in `_lost_how` or `_trouble`."""
        try:
            self._keep(replace(self._tenure, beat=self._tenure.beat + 1))
            self._trouble = ""
        except TunerError as error:
            self._trouble = error.what

    def _keep(self, tenure: Tenure) -> None:
        """Write lease.json, unless it names another holder by now: then the lease is lost.

        A touched file, or a clock step of the store, changes the version but not the contents; then write again.
        """
        for _ in range(_TRIES):
            if self._write(tenure):
                return
            seen = self._see()
            if seen is None or seen.tenure.token != tenure.token:
                taken = f"taken over by {seen.tenure.holder} since {seen.tenure.since}" if seen else ""
                self._lost_how = taken or "deleted by another process"
                return
            self._version = seen.version
        raise StoreError(
            f"{self.key} in {self.store.url} keeps changing",
            "a file that only its holder writes",
            "find the process that changes it, and end it",
        )

    def _write(self, tenure: Tenure) -> bool:
        """Write lease.json unless it has changed since this driver read or wrote it; returns whether it was written."""
        data = tenure.to_json()
        asked_s = steady_s()
        if self._version is not None:
            version = self.store.replace(self.key, data, self._version)
        else:
            stat = self.store.stat(self.key) if self.store.put_new(self.key, data) else None
            version = stat.version if stat else None
        if version is None:
            return False
        self._tenure, self._version, self._renewed_s = tenure, version, asked_s
        return True

    def _see(self) -> Seen | None:
        """Read lease.json; None if it does not exist."""
        stat = self.store.stat(self.key)
        if stat is None:
            return None
        try:
            data = self.store.get(self.key) if stat.size <= MOST_BYTES else stat.version.encode()
            return Seen.of(stat.version, data, self._tenure.ttl_s)
        except MissingKeyError:
            return None


def _held(key: str, url: str, holder: Tenure, seen: str) -> LeaseHeldError:
    return LeaseHeldError(
        f"{key} in {url} is held by {holder.holder} since {holder.since}, {seen}",
        "one driver per search",
        f"watch the other driver or stop it; if it has died, run the same command again, which takes over after "
        f"{holder.ttl_s:g} s without a heartbeat; `take_over=True` takes the search over at once",
    )
