"""Follows a search from anywhere: looks at its ledger until nobody drives it any more, and says what is new.

Only the store is read, so the one who watches may sit at another machine than the driver.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tuner.front import pareto, words
from tuner.front.pareto import Objective
from tuner.recipe import objectives_of
from tuner.search.control.drivers import CurrentDriver, current_driver
from tuner.search.record.front_view import FrontView
from tuner.search.record.home import SearchHome
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.watch.texts import goes_on, measured
from tuner.store import StoreError

EVERY_S = 2.0


@dataclass(frozen=True)
class News:
    """One thing that happened.

    Attributes:
        time_s: when, unix seconds.
        text: what, in one line.
    """

    time_s: float
    text: str


@dataclass(frozen=True)
class Look:
    """A search as one look at it has shown.

    Attributes:
        state: its state.
        view: its front.
        driver: who drives it.
        news: what is new since the look before; of the first one, where the search stands.
        budget: total of trials that were asked for.
    """

    state: SearchState
    view: FrontView
    driver: CurrentDriver
    news: tuple[News, ...]
    budget: int

    @property
    def is_last(self) -> bool:
        """Whether nobody drives the search any more, or its driver may have died."""
        return not self.driver.name or self.driver.is_silent

    def line(self) -> str:
        """The search in one line: "12 of 40 trials ended, 5 on the front, hypervolume 29.1 %, driven by lab7 pid 1"."""
        ended = sum(self.state.counts().values())
        told = f"{ended} of {self.budget} trials ended, {_front(self.view)}"
        return f"{told}, {self._driven()}"

    def end(self) -> str:
        """Why nothing more is to be seen."""
        if self.driver.name:
            silent = words.duration(self.driver.silent_s)
            return f"its driver, {self.driver.name}, has given no sign of life for {silent}; it may have died"
        ended = sum(self.state.counts().values())
        left = "" if ended >= self.budget else "; the same search command carries on"
        return f"nobody drives the search: {ended} of {self.budget} trials have ended{left}"

    def _driven(self) -> str:
        if not self.driver.name:
            return "driven by nobody"
        late = f", silent for {words.duration(self.driver.silent_s)}" if self.driver.is_silent else ""
        return f"driven by {self.driver.name}{late}"


def follow(
    home: SearchHome,
    objectives: Sequence[Objective] | None = None,
    *,
    every_s: float = EVERY_S,
    pause: Callable[[float], None] = time.sleep,
    tick: Callable[[], None] = lambda: None,
) -> Iterator[Look]:
    """A look at the beginning, one at each change, and one when the search has ended; the last one `is_last`.

    While the store cannot be reached, it says so once by `home.warn`, and goes on trying.

    Args:
        home: the search.
        objectives: axes of the front; None: those of the search.
        every_s: seconds between looks at the store.
        pause: waits.
        tick: called after each look that showed no change.

    Raises:
        TunerError: the first look fails.
    """
    recipe = home.stored()[0]
    axes = objectives or objectives_of(recipe)
    seen: tuple[list[str], bool] | None = None
    before: Look | None = None
    warned = False
    while True:
        try:
            driver = current_driver(home.store, home.name)
            keys = sorted(home.store.list(home.ledger.prefix))
            ends = not driver.name or driver.is_silent
            if seen != (keys, ends):
                state = home.state()
                view = home.front(axes, state)
                budget = state.budget or recipe.budget.trials
                look = Look(state, view, driver, (), budget)
                news = tuple(_news(before, look) if before else _so_far(look))
                seen, before = (keys, ends), Look(state, view, driver, news, budget)
                yield before
            else:
                tick()
            if ends:
                return
            warned = False
        except StoreError as error:
            if before is None:
                raise
            if not warned:
                home.warn(f"the store cannot be read ({error.what}); still trying")
            warned = True
        pause(every_s)


def _so_far(look: Look) -> Iterator[News]:
    """What there is to say at the first look."""
    now_s = time.time()
    yield News(now_s, look.line())
    if look.view.caution:
        yield News(now_s, look.view.caution)


def _news(before: Look, now: Look) -> Iterator[News]:
    """What happened between two looks, in order."""
    found, again = [], list[str]()
    members = {m.trial for m in now.view.members}
    for trial in now.state.trials.values():
        old = before.state.trials.get(trial.number)
        if trial.outcome and (old is None or (old.outcome in (None, "pruned") and old.outcome != trial.outcome)):
            found.append(News(trial.ended_at, _ended(trial, now, trial.number in members)))
        elif old is not None and old.outcome and not trial.outcome:
            again.append(goes_on(trial))
        known = old.confirmations if old else {}
        for run, confirmed in trial.confirmations.items():
            if run not in known:
                told = f"trial {trial.number} run again with seed {confirmed.seed}: {confirmed.outcome}"
                found.append(News(confirmed.time_s, f"{told}{_values(now, confirmed.values)}"))
    left = {m.trial for m in before.view.members} - members
    latest_s = max((news.time_s for news in found), default=time.time())
    found += [News(latest_s, text) for text in again]
    for number in sorted(left):
        better = [f", beaten by trial {m.trial}" for m in now.view.members if _beaten(now, m.trial, number)]
        found.append(News(latest_s, f"trial {number} left the front{''.join(better[:1])}"))
    for picked in now.state.picks[len(before.state.picks) :]:
        found.append(News(picked.time_s, f"trial {picked.trial} was picked"))
    yield from sorted(found, key=lambda news: news.time_s)


def _beaten(look: Look, by: int, trial: int) -> bool:
    points = {p.trial: p for p in look.state.points(look.view.objectives)}
    return by in points and trial in points and pareto.beats(points[by], points[trial], look.view.objectives)


def _ended(trial: TrialRecord, look: Look, on_front: bool) -> str:
    if trial.outcome != "complete":
        where = f" in {trial.stage}" if trial.stage else ""
        return f"trial {trial.number} {trial.outcome}{where}{f': {trial.cause}' if trial.cause else ''}"
    ended = sum(look.state.counts().values())
    sizes = {**trial.params, **trial.values}
    place = "not on the front"
    if on_front:
        n = len(look.view.members)
        place = f"on the front ({n} {'member' if n == 1 else 'members'}, {look.view.volume})"
    return f"trial {trial.number} complete{_values(look, sizes)}; {place}; {ended} of {look.budget} trials"


def _values(look: Look, values: dict[str, float]) -> str:
    """The objectives of a trial: ": accuracy 88.4 ±0.9 %, per class 5"; empty where it has none."""
    told = measured(look.view.objectives, values)
    return f": {told}" if told else ""


def _front(view: FrontView) -> str:
    return f"{len(view.members)} on the front, {view.volume}"
