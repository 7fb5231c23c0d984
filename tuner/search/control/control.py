"""Instructions to a search from any machine that reaches its store: `Search.control`, and `qpm-tuner control`."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from tuner.errors import UsageError
from tuner.recipe.space import read_point, show_values
from tuner.search.arguments import whole
from tuner.search.control.added import completed, refuse_twin
from tuner.search.control.drivers import current_driver
from tuner.search.control.entries import Instruction, give, numbers, read
from tuner.search.control.now import read_now
from tuner.search.control.verbs import VERBS
from tuner.search.record.events import Instructed
from tuner.search.record.fields import InvalidEventError
from tuner.search.record.home import SearchHome

WAIT_S = 20.0
"""Seconds to wait for the driver's answer: it looks every few seconds, and a busy machine adds some."""
LOOK_S = 0.5


@dataclass(frozen=True)
class Answer:
    """An instruction and what became of it.

    Attributes:
        number: of the instruction in its search.
        instruction: in words, such as "skip trial=7".
        by: who gave it.
        given_s: when, unix seconds.
        state: "applied", "refused", or "waiting" for a driver.
        note: what was done, why it was refused, or what it waits for.
        answered_s: when the driver recorded that, unix seconds; None: not yet.
        driver: the one that has answered, such as "lab7 pid 4711"; empty: not known any more.
    """

    number: int
    instruction: str
    by: str
    given_s: float
    state: str
    note: str
    answered_s: float | None = None
    driver: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return asdict(self)


class Control:
    """Controls a search while its driver runs, on this machine or another one.

    Each method writes an entry to the store and waits for the driver to carry it out. Without a driver the entry waits
    for the next one; only `stop` needs one.

    Args:
        home: the search.
        wait_s: seconds to wait for the driver's answer.
    """

    def __init__(self, home: SearchHome, wait_s: float = WAIT_S) -> None:
        self._home, self.wait_s = home, wait_s

    def stop(self, *, now: bool = False) -> Answer:
        """Stop the search: running stages end and nothing new begins; running the search again carries on.

        Args:
            now: end running stages at once; their epochs so far are kept on that machine.

        Raises:
            UsageError: the search has no driver.
        """
        return self._give("stop", {"now": bool(now)} if now else {})

    def pause(self) -> Answer:
        """Begin no further trial until `resume`; trials under way go on. The driver stays, and its time counts."""
        return self._give("pause", {})

    def resume(self) -> Answer:
        """Go on after `pause`."""
        return self._give("resume", {})

    def skip(self, trial: int) -> Answer:
        """End a trial without a result: it is never on the front, and nothing is learned from it.

        Raises:
            UsageError: there is no such trial, or it has ended.
        """
        trial = whole(trial, "trial", 7)
        record = self._home.state().trials.get(trial)
        if record is None or record.outcome is not None:
            what = "has not begun" if record is None else f"has ended already ({record.outcome})"
            todo = f"qpm-tuner status {self._address} shows which trials are open"
            raise UsageError(f"trial {trial} {what}", "a trial that is open", todo)
        return self._give("skip", {"trial": trial})

    def add(self, params: Mapping[str, Any]) -> Answer:
        """Run one more trial than the budget has, with these parameters.

        Args:
            params: searched fields by name; those that are missing are the recipe's own.

        Raises:
            UsageError: no trial of this search can have them, or one has them already.
        """
        if not isinstance(params, Mapping):
            expected = "a dictionary of parameters and values"
            raise UsageError(f"add({params!r})", expected, 'for example add({"n_features": 20})')
        given = read_point(params)
        if not self._home.exists():  # it is starting: the driver looks at the parameters
            return self._give("add", given)
        recipe, bank = self._home.stored()
        try:
            refuse_twin(self._home.state(), completed(recipe, self._home.n_classes(bank), given))
        except InvalidEventError as error:
            space = "; ".join(f"{name} {_told(dimension)}" for name, dimension in recipe.space.items())
            what = f"such a trial cannot be added: {error}"
            raise UsageError(what, f"a new point of the space: {space}", "correct the parameters") from None
        return self._give("add", given)

    def budget(self, trials: int) -> Answer:
        """Set the total number of trials; it counts until another instruction, or a new number at a start, changes it.

        Raises:
            UsageError: it is no number of trials.
        """
        return self._give("budget", {"trials": whole(trials, "trials", 60)})

    def answers(self) -> list[Answer]:
        """All instructions so far and what became of them, by number."""
        done = self._home.state().instructed
        waiting = [n for n in numbers(self._home.store, self._home.name)[0] if n not in done]
        entries = [read(self._home.store, self._home.name, number) for number in waiting]
        found = {number: _answered(event) for number, event in done.items()}
        found |= {entry.number: _waiting(entry, self._awaited()) for entry in entries if entry is not None}
        return [found[number] for number in sorted(found)]

    def _give(self, verb: str, arguments: dict[str, Any]) -> Answer:
        if not VERBS[verb].waits and not current_driver(self._home.store, self._home.name).name:
            what = f"search {self._home.name!r} has no driver, so nothing runs"
            raise UsageError(
                what, f"a running search to {verb}", f"qpm-tuner search {self._address} carries on with it"
            )
        try:
            used = self._home.state().instructed
            given = give(self._home.store, self._home.name, verb, arguments, used=used)
        except InvalidEventError as error:
            raise UsageError(f"{verb}: {error}", VERBS[verb].does, "correct the arguments") from None
        until_s = time.monotonic() + self.wait_s
        while (event := self._event(given.number)) is None and time.monotonic() < until_s:
            if not current_driver(self._home.store, self._home.name).name:
                break
            time.sleep(LOOK_S)
        if event is None:
            return _waiting(given, self._awaited())
        return replace(_answered(event), driver=current_driver(self._home.store, self._home.name).name)

    def _event(self, number: int) -> Instructed | None:
        """What a driver has recorded of an instruction; None: nothing yet."""
        for _, content in reversed(self._home.ledger.entries()):
            if content.get("event") == Instructed.kind and content.get("number") == number:
                return Instructed.from_json(content)
        return None

    def _awaited(self) -> str:
        """What instructions wait for."""
        driver = current_driver(self._home.store, self._home.name)
        if driver.name and not self._home.exists():
            return (
                f"the search is starting: its driver, {driver.told()}, reads the data or extracts features, and "
                "carries this out afterwards"
            )
        if driver.name:
            now = read_now(self._home.store, self._home.name)
            doing = f"; what it does: {now.summary}" if now is not None and not driver.is_silent else ""
            return f"the driver, {driver.told()}, has not answered yet{doing}"
        return f"no driver runs: the next qpm-tuner search {self._address} carries it out"

    @property
    def _address(self) -> str:
        return f"--store {self._home.store.url} --name {self._home.name}"


def _told(dimension: Mapping[str, Any]) -> str:
    """A dimension of a space: "[6, 9, 12]", "0.001 to 1"."""
    if "choices" in dimension:
        return show_values(dimension["choices"])
    step = f" in steps of {dimension['step']}" if dimension.get("step") else ""
    return f"{dimension['low']} to {dimension['high']}{step}"


def _answered(event: Instructed) -> Answer:
    words = Instruction(event.number, event.verb, event.arguments).told()
    state = "applied" if event.applied else "refused"
    return Answer(event.number, words, event.by, event.given_s, state, event.note, event.time_s)


def _waiting(entry: Instruction, awaited: str) -> Answer:
    return Answer(entry.number, entry.told(), entry.by, entry.given_s, "waiting", entry.problem or awaited)
