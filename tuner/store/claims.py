"""Claims: of all that write to a store, one makes an artifact, and the others wait for it.

claims/<kind>/<key>.json        who makes it; written only where there is none, or instead of one that has died
claims/beats/<owner>.json       renewed by each owner, whatever it has claimed

A claim saves work and guards nothing: of two that publish the same artifact the first one wins, as without claims. So
a claim may be lost at any time, to a store that was away or a process that was stopped, and nothing is wrong.
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
TTL_S = 60.0  # an owner whose beat was seen unchanged for so long has died

# A claim outlives the publishing of what was claimed by so much. Whoever has looked for the artifact in vain a moment
# before, and claims it now, thus meets the claim, looks again, and finds it.
LINGER_S = 30.0

LONGEST = 200  # characters of a holder's name

SOONEST_S, LATEST_S = 1.0, 5.0  # how often whoever waits for another's artifact looks for it: less and less

Name = tuple[str, str]  # kind and key of an artifact

_OWNER = re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(r"claims(/[A-Za-z0-9_-]+)+\.json", re.ASCII)  # anything else is a stranger's


class Claims:
    """The claims of one process on the artifacts of a store; usable from many threads. Close it at the end.

    Args:
        store: where the artifacts are.
        holder: who claims, for people.
        ttl_s: after how many seconds of silence an owner has died.
        is_gone: tells of a holder, by name, whether it is known to have died; its claims are taken over at once.
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
        self._deleting = threading.Lock()  # for the length of a request
        self._ended: queue.Queue[tuple[float, Name] | None] = queue.Queue()  # what is to be let go of, and when
        self._thread: threading.Thread | None = None

    def take(self, names: Sequence[Name]) -> tuple[int, str | None]:
        """Claim a row of artifacts, in order, as far as nobody else has one of them; it takes one request each.

        Returns:
            How many of the first ones are claimed now, and who holds the next one; None for nobody.

        Raises:
            StoreError: the store fails; nothing is claimed then.
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
        """Who makes an artifact, for people, as far as is known; None if it is nobody, or one that has died.

        Raises:
            StoreError: the store fails.
        """
        claim = self._read(_key(name))
        return None if claim is None or self._has_died(claim) else claim["holder"]

    def done(self, names: Sequence[Name]) -> None:
        """These have been published: let go of them in a while."""
        self._let_go(names, LINGER_S)

    def release(self, names: Sequence[Name]) -> None:
        """Let go of these soon, whatever became of them; those that are not claimed do not matter."""
        self._let_go(names, 0.0)

    def close(self) -> None:
        """Let go of everything."""
        if self._thread is not None:
            self._ended.put(None)
            self._thread.join()
            self._thread = None

    def _let_go(self, names: Sequence[Name], in_s: float) -> None:
        for name in self._forget(names):
            self._ended.put((steady_s() + in_s, name))

    def _forget(self, names: Sequence[Name]) -> list[Name]:
        """Count these as held no longer; returns those that were."""
        with self._lock:
            held = [name for name in names if name in self._held]
            self._held.difference_update(held)
        return held

    def _live(self) -> None:
        """Begin to beat, before the first claim."""
        with self._lock:
            if self._thread is None:
                self._beat(0)
                self._thread = threading.Thread(target=self._run, name="claims", daemon=True)
                self._thread.start()

    def _take(self, name: Name) -> str | None:
        """Claim one artifact; None if that worked, else who has it."""
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
        """Write a claim; None if that worked, else who has it."""
        key, mine = _key(name), self._mine()
        taken = self.store.put_new(key, mine)
        while not taken:
            stat = self.store.stat(key)
            claim = self._read(key)
            if claim is None or stat is None:  # let go of just now
                taken = self.store.put_new(key, mine)
            elif claim.get("owner") == self._owner:
                taken = True
            elif self._has_died(claim):
                taken = self.store.replace(key, mine, stat.version) is not None
            else:
                return claim["holder"]
        return None

    def _read(self, key: str) -> dict[str, str] | None:
        """Owner and holder as a claim names them, fit to be shown; None for no claim, less for a damaged one."""
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
        """Whether a claim is damaged, or its owner known to have died."""
        owner, holder = claim.get("owner", ""), claim.get("holder")
        if holder is None or not _OWNER.fullmatch(owner) or self.is_gone(holder):
            return True
        return self._is_silent(owner)

    def _is_silent(self, owner: str) -> bool:
        """Whether an owner has no beat, or one that was seen unchanged for its whole lifetime."""
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
        """Beat, delete what was let go of, and clear up after those that have died; the store may fail at any time."""
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
        """Delete a claim of ours; one that may have been taken over meanwhile is read first."""
        with self._deleting, contextlib.suppress(TunerError):
            if name in self._held:  # claimed once more
                return
            heard = steady_s() - self._beaten_s < self.ttl_s / 2
            if heard or (self._read(_key(name)) or {}).get("owner") == self._owner:
                self.store.delete(_key(name))

    def _others(self) -> set[str]:
        """The owners that beat, or once did; each is looked at, so that it can be told later who has died."""
        with contextlib.suppress(TunerError):
            beats = [key.rpartition("/")[2].removesuffix(".json") for key in self.store.list("claims/beats/")]
            return {
                owner
                for owner in beats
                if owner != self._owner and _OWNER.fullmatch(owner) and not self._is_silent(owner)
            }
        return set()

    def _clear(self, dead: set[str]) -> None:
        """Delete what owners that were killed have left; a claim is taken over first, so that nobody else has it."""
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
