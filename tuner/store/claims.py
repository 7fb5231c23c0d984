"""Claims: only one process computes an artifact; the others wait for it.

claims/<kind>/<key>.json        the owner; created if absent, or replaced if its owner has died
claims/beats/<owner>.json       heartbeat of an owner, one for all its claims

A claim avoids duplicate work; correctness does not depend on it. If two processes publish the same artifact, the first
one wins, with or without claims. So losing a claim, to a store outage or a stopped process, is harmless.
"""

import contextlib
import json
import queue
import re
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence

from tuner.base.plain_json import InvalidJsonError, parse_object
from tuner.base.text import one_line
from tuner.errors import TunerError
from tuner.store.errors import MissingKeyError
from tuner.store.store import Store, for_each
from tuner.store.tenure import MOST_BYTES
from tuner.store.watch import Watch, steady_s

BEAT_S = 15.0
TTL_S = 60.0  # an owner without a heartbeat for this long is considered dead

# A claim is kept for this long after its artifact was published. A process that looked for the artifact just before
# publication and then tries to claim it finds the claim, looks for the artifact again, and finds that too.
LINGER_S = 30.0

LONGEST = 200  # characters of a holder's name

SOONEST_S, LATEST_S = 1.0, 5.0  # polling interval while waiting for another process's artifact: grows from, to

Name = tuple[str, str]  # kind and key of an artifact

_OWNER = re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(r"claims(/[A-Za-z0-9_-]+)+\.json", re.ASCII)  # other files are not ours


class Claims:
    """The claims of one process on artifacts of a store; thread-safe. Close it when done.

    Args:
        store: holds the artifacts.
        holder: human-readable name of this process.
        ttl_s: seconds without a heartbeat after which an owner is considered dead.
        is_gone: whether the holder of a given name is known to be dead; its claims are then taken over at once.
    """

    def __init__(
        self, store: Store, holder: str, ttl_s: float = TTL_S, is_gone: Callable[[str], bool] = lambda _: False
    ) -> None:
        self.store, self.holder, self.ttl_s, self.is_gone = store, holder, ttl_s, is_gone
        self._owner = secrets.token_hex(8)
        self._beaten_s = 0.0
        self._held: set[Name] = set()
        self._watches: dict[str, Watch] = {}
        self._lock = threading.Lock()
        self._deleting = threading.Lock()  # held for one request
        self._ended: queue.Queue[tuple[float, Name] | None] = queue.Queue()  # claims to release, and when
        self._thread: threading.Thread | None = None

    def take(self, names: Sequence[Name]) -> tuple[int, str | None]:
        """Claim artifacts in order, up to the first one that another process holds; one request per artifact.

        Returns:
            The number of leading artifacts now claimed, and the holder of the next one (None if all are claimed).

        Raises:
            StoreError: the store fails; nothing is claimed.
        """
        self._live()
        try:
            others = for_each(self.store, self._take, names)
        except BaseException:
            self.release(names)
            raise
        free = next((place for place, other in enumerate(others) if other is not None), len(names))
        for name in names[free:]:
            if name in self._held:
                self._forget([name])
                self._delete(name)
        return free, others[free] if free < len(names) else None

    def holder_of(self, name: Name) -> str | None:
        """The name of the holder of an artifact's claim; None if it is unclaimed or its owner has died.

        Raises:
            StoreError: the store fails.
        """
        claim = self._read(_key(name))
        return None if claim is None or self._has_died(claim) else claim["holder"]

    def done(self, names: Sequence[Name]) -> None:
        """Release the claims of published artifacts, after `LINGER_S`."""
        self._release_in(names, LINGER_S)

    def release(self, names: Sequence[Name]) -> None:
        """Release these claims at once, whether or not the artifacts were published; unclaimed ones are ignored."""
        self._release_in(names, 0.0)

    def close(self) -> None:
        """Release all claims and stop the heartbeat."""
        if self._thread is not None:
            self._ended.put(None)
            self._thread.join()
            self._thread = None

    def _release_in(self, names: Sequence[Name], in_s: float) -> None:
        for name in self._forget(names):
            self._ended.put((steady_s() + in_s, name))

    def _forget(self, names: Sequence[Name]) -> list[Name]:
        """Remove these from the held claims; returns those that were held."""
        with self._lock:
            held = [name for name in names if name in self._held]
            self._held.difference_update(held)
        return held

    def _live(self) -> None:
        """Start the heartbeat; must precede the first claim."""
        with self._lock:
            if self._thread is None:
                self._beat(0)
                self._thread = threading.Thread(target=self._run, name="claims", daemon=True)
                self._thread.start()

    def _take(self, name: Name) -> str | None:
        """Claim one artifact; returns None on success, otherwise the current holder."""
        if name in self._held:
            return None
        with self._deleting, self._lock:
            self._held.add(name)
        try:
            other = self._write(name)
        except BaseException:
            self._forget([name])
            raise
        if other is not None:
            self._forget([name])
        return other

    def _write(self, name: Name) -> str | None:
        """Write a claim; returns None on success, otherwise the current holder."""
        key, mine = _key(name), self._mine()
        taken = self.store.put_new(key, mine)
        while not taken:
            stat = self.store.stat(key)
            claim = self._read(key)
            if claim is None or stat is None:  # just released
                taken = self.store.put_new(key, mine)
            elif claim.get("owner") == self._owner:
                taken = True
            elif self._has_died(claim):
                taken = self.store.replace(key, mine, stat.version) is not None
            else:
                return claim["holder"]
        return None

    def _read(self, key: str) -> dict[str, str] | None:
        """Owner and holder of a claim, sanitized for display; None if there is none, incomplete if it is damaged."""
        try:
            stat = self.store.stat(key)
            if stat is None or stat.size > MOST_BYTES:
                return None if stat is None else {}
            claim = parse_object(self.store.get(key))
        except MissingKeyError:
            return None
        except InvalidJsonError:
            return {}
        names = {name: claim.get(name) for name in ("owner", "holder")}
        return {name: one_line(text, LONGEST) for name, text in names.items() if isinstance(text, str)}

    def _has_died(self, claim: Mapping[str, str]) -> bool:
        """Whether a claim is damaged or its owner is dead."""
        owner, holder = claim.get("owner", ""), claim.get("holder")
        if holder is None or not _OWNER.fullmatch(owner) or self.is_gone(holder):
            return True
        return self._is_silent(owner)

    def _is_silent(self, owner: str) -> bool:
        """Whether an owner has no heartbeat, or one that has not changed for `ttl_s`."""
        beat = self.store.stat(_beat_key(owner))
        if beat is None:
            return True
        with self._lock:
            return self._watches.setdefault(owner, Watch(self.ttl_s)).is_silent(beat.version)

    def _mine(self) -> bytes:
        return json.dumps({"owner": self._owner, "holder": self.holder}).encode()

    def _beat(self, number: int) -> None:
        asked_s = steady_s()
        self.store.put(_beat_key(self._owner), json.dumps({"holder": self.holder, "beat": number}).encode())
        self._beaten_s = asked_s

    def _run(self) -> None:
        """Send heartbeats, delete released claims, and clean up after dead owners; store failures are tolerated."""
        number, beat_s, swept_s = 0, steady_s() + BEAT_S, steady_s()
        seen = self._others()
        waiting: list[tuple[float, Name]] = []
        while True:
            with contextlib.suppress(queue.Empty):
                item = self._ended.get(timeout=max(0.0, min([beat_s, *(due for due, _ in waiting)]) - steady_s()))
                if item is None:
                    break
                waiting.append(item)
            now_s = steady_s()
            for item in [item for item in waiting if item[0] <= now_s]:
                waiting.remove(item)
                self._delete(item[1])
            if now_s >= beat_s:
                number, beat_s = number + 1, now_s + BEAT_S
                with contextlib.suppress(TunerError):
                    self._beat(number)
                    silent = {owner for owner in seen if self._is_silent(owner)}
                    if seen and now_s - swept_s > 2 * self.ttl_s:
                        self._clear(silent)
                        seen = set()
        with self._lock:
            left = [*self._held, *(name for _, name in waiting)]
            self._held.clear()
        while not self._ended.empty():
            if (item := self._ended.get()) is not None:
                left.append(item[1])
        for name in left:
            self._delete(name)
        with contextlib.suppress(TunerError):
            self.store.delete(_beat_key(self._owner))

    def _delete(self, name: Name) -> None:
        """Delete a claim of ours; if it may have been taken over meanwhile, check its owner first."""
        with self._deleting, contextlib.suppress(TunerError):
            if name in self._held:  # claimed again
                return
            heard = steady_s() - self._beaten_s < self.ttl_s / 2
            if heard or (self._read(_key(name)) or {}).get("owner") == self._owner:
                self.store.delete(_key(name))

    def _others(self) -> set[str]:
        """Owners with a heartbeat file; starts watching each, so that dead ones can be recognized later."""
        with contextlib.suppress(TunerError):
            beats = [key.rpartition("/")[2].removesuffix(".json") for key in self.store.list("claims/beats/")]
            return {
                owner
                for owner in beats
                if owner != self._owner and _OWNER.fullmatch(owner) and not self._is_silent(owner)
            }
        return set()

    def _clear(self, dead: set[str]) -> None:
        """Delete claims orphaned by dead owners; each is taken over first, so that no other process can hold it."""
        if not dead:
            return
        for key in list(self.store.list("claims/")):
            if not key.startswith("claims/beats/") and _KEY.fullmatch(key):
                stat, claim = self.store.stat(key), self._read(key)
                if (
                    stat
                    and claim
                    and claim.get("owner") in dead
                    and self.store.replace(key, self._mine(), stat.version)
                ):
                    self.store.delete(key)
        for owner in dead:
            self.store.delete(_beat_key(owner))


def _key(name: Name) -> str:
    return f"claims/{name[0]}/{name[1]}.json"


def _beat_key(owner: str) -> str:
    return f"claims/beats/{owner}.json"
