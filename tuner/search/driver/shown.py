"""The search in MLflow, as its driver keeps it there: every event, the front at the end, and where to look at it."""

from collections.abc import Callable, Iterable
from pathlib import Path

from tuner.base.progress import Progress
from tuner.recipe import TrackingConfig
from tuner.search.outcome.files import put_file
from tuner.search.record.events import Event
from tuner.search.record.home import SearchHome
from tuner.search.record.mirrored import Mirrored
from tuner.search.record.state import SearchState
from tuner.search.watch.header import mlflow_lines
from tuner.search.watch.mirror import FLUSH_S, PLACE, mirror_front, place_document, start_mirror

OFF = "switched off (tracking.enabled)"


class Shown:
    """What MLflow shows of a search; nothing, where tracking is switched off.

    Args:
        home: the search.
        config: where and whether.
        past: the events so far; the oldest one identifies the search.
        progress: told where to look at it, as soon as it can be looked at.
        check: raises LeaseHeldError where another driver has the search.
    """

    def __init__(
        self,
        home: SearchHome,
        config: TrackingConfig,
        past: Iterable[Event],
        progress: Progress,
        check: Callable[[], None],
    ) -> None:
        self._home, self._progress, self._check = home, progress, check
        self._placed, self._mirrored = "", Mirrored()
        self._mirror = start_mirror(home, config, self._tell) if config.enabled else None
        if self._mirror is not None:
            self._mirror.replay([expanded for event in past for expanded in self._mirrored.of(event.to_json())])

    @property
    def place(self) -> str:
        """Its address, or why there is none; empty: switched off."""
        return "" if self._mirror is None else self._mirror.warning or self._mirror.url

    @property
    def whole(self) -> bool:
        """Whether nothing is missing there."""
        return self._mirror is None or self._mirror.warning is None

    def take(self, event: Event) -> None:
        """Show an event that the ledger has."""
        if self._mirror is not None:
            for expanded in self._mirrored.of(event.to_json()):
                self._mirror.publish(expanded)

    def keep_place(self) -> None:
        """Write its address to the store, once, for `status` on any machine."""
        if self._mirror is not None and self._mirror.is_open and self._mirror.url != self._placed:
            self._placed = self._mirror.url
            put_file(self._home.store, self._home.key(PLACE), place_document(self._placed), self._check)

    def finish(self, state: SearchState, files: Iterable[str]) -> str:
        """Show the front and these files; returns the address, or what is wrong.

        Raises:
            LeaseHeldError: another driver has the search.
        """
        if self._mirror is None:
            return OFF
        with self._progress.step(f"sending the remaining data to MLflow, for at most {FLUSH_S:.0f} s"):
            self._check()
            mirror_front(self._mirror, self._home, state, [Path(file).name for file in files])
        self.keep_place()
        return self.place

    def close(self) -> None:
        """End its process."""
        if self._mirror is not None:
            self._mirror.abandon()

    def _tell(self, url: str) -> None:
        """Called in a thread."""
        for line in mlflow_lines(url):
            self._progress.say(line)
