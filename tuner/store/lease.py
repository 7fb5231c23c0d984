"""The lease: one driver a search. Who holds it renews it; who is seen to be silent for its lifetime loses it.

No two clocks are compared: who waits measures the silence, who holds measures the time since its last renewal, each by
a clock of its own that nobody sets. Every step is a compare-and-swap, so that of two that follow at once one wins.
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
    """Somebody else drives this search."""


class Lease:
    """The right to drive a search, held for the length of a `with` block.

    Args:
        store: where the search lives.
        search: its name.
        holder: who asks, for people: user, host, process.
        ttl_s: after how many seconds of silence another driver may follow, between 1 and 600; renewed four times
            as often.
        wait_s: how long to wait for a holder that does not renew; one that does is never waited for. With
            `wait_s > ttl_s` a driver can be started again right after it was killed.
        is_gone: tells of a holder, by name, whether it is known to have died; it is followed at once.
        take_over: take the lease from whoever holds it.
        tell: is told, in a sentence, who is waited for or whose search is taken over.

    Raises:
        UsageError: the name cannot be used.
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
        """The holder that had not let go, if there was one."""
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
            LeaseHeldError: somebody else drives the search.
            TunerError: the store cannot be reached or written to, or does not keep conditions.
        """
        require_conditional_put(self.store)
        self._acquire()
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop renewing and let go, so that the next driver need not wait."""
        self._stop.set()
        self._heart.join()
        if self._lost_how:
            return
        try:
            self._keep(replace(self._tenure, released=True))
        except TunerError as trouble:
            _log.warning("the lease ends by itself in %g s: %s", self._tenure.ttl_s, trouble.what)

    @property
    def token(self) -> str:
        """What tells this holder from every other one."""
        return self._tenure.token

    @property
    def term(self) -> int:
        """Counts the holders of the search: that of the holder before, and one more."""
        return self._tenure.term

    @property
    def lost(self) -> bool:
        """Whether somebody else may drive by now: the lease was taken, or cannot be renewed for its lifetime.

        A process that slept or got no processor for that long has not lost it yet: the store tells.
        """
        if self._is_overdue() and not (self._lost_how or self._trouble or self._stop.is_set()):
            with self._writing:
                if self._is_overdue():
                    self._renew()
        return bool(self._lost_how) or self._is_overdue()

    def check(self) -> None:
        """Go on only while the lease is held; the store is asked.

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
                f"a lease that nobody takes over, and a heartbeat at least every {self._tenure.ttl_s:g} s, which a "
                "process that was stopped or slept does not give",
                "nothing that had ended before is lost; leave the search to the other driver, or run the same "
                "command again",
            )

    def rise_above(self, term: int) -> None:
        """Give this holder a term above another one, in lease.json first, so that nobody follows with less.

        Raises:
            LeaseHeldError: the lease is lost.
            StoreError: the store cannot take it.
        """
        with self._writing:
            if self._tenure.term <= term and not self._lost_how:
                self._keep(replace(self._tenure, term=term + 1))
        self.check()

    def _is_overdue(self) -> bool:
        return steady_s() - self._renewed_s > self._tenure.ttl_s

    def _is_as_written(self) -> bool:
        """Whether lease.json is the one that this driver wrote last, and not too long ago."""
        try:
            stat = self.store.stat(self.key)
        except StoreError as error:
            self._trouble = error.what
            return True  # as far as anybody knows; who is silent for too long is overdue all the same
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
                    silent = f"not renewed in the {watch.silent_s(seen.beat):.0f} s that this driver has watched it"
                    raise _held(self.key, self.store.url, holder, "renewed just now" if renewed else silent)
                if not first:
                    self.tell(
                        f"waiting for {holder.holder}, which has held the search since {holder.since}: "
                        f"this driver follows if nothing is heard of it for {holder.ttl_s:g} s"
                    )
                first = seen.beat
                time.sleep(min(1.0, holder.ttl_s / 8))
                continue
            if holder and self.take_over and holder.token != robbed:
                robbed = holder.token
                self.tell(
                    f"taking the search over from {holder.holder}, which has held it since {holder.since}; "
                    "if it still runs, whatever it writes from now on is ignored"
                )
            self._version = seen.version if seen else None
            if self._write(replace(self._tenure, term=(seen.tenure.term if seen else 0) + 1)):
                self.taken_from = holder
                return  # else somebody was faster: see who

    def _is_over(self, holder: Tenure, watch: Watch, beat: str) -> bool:
        watch.ttl_s = holder.ttl_s
        return watch.is_silent(beat) or self.is_gone(holder.holder)

    def _beat(self) -> None:
        while not self._stop.wait(self._tenure.ttl_s / 4) and not self._lost_how:
            with self._writing:
                self._renew()

    def _renew(self) -> None:
        """Write once more; what goes wrong is kept in `_lost_how` or `_trouble`."""
        try:
            self._keep(replace(self._tenure, beat=self._tenure.beat + 1))
            self._trouble = ""
        except TunerError as error:
            self._trouble = error.what

    def _keep(self, tenure: Tenure) -> None:
        """Write lease.json, unless it names somebody else by now: then the lease is lost.

        A file that somebody touched, or a store whose clock stepped, is another version with the same words.
        """
        for _ in range(_TRIES):
            if self._write(tenure):
                return
            seen = self._see()
            if seen is None or seen.tenure.token != tenure.token:
                taken = f"taken over by {seen.tenure.holder} since {seen.tenure.since}" if seen else ""
                self._lost_how = taken or "deleted by somebody"
                return
            self._version = seen.version
        raise StoreError(f"{self.key} in {self.store.url} changes all the time", "its holder's words", "see who does")

    def _write(self, tenure: Tenure) -> bool:
        """Write lease.json unless it has changed since this driver saw or wrote it; whether that worked."""
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
        """Look at lease.json; None if there is none."""
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
        "one driver a search",
        f"watch the other driver or stop it; if it has died, run the same command again, which follows after "
        f"{holder.ttl_s:g} s of silence; `take_over=True` takes the search from it at once",
    )
