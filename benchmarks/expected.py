"""How true the expected time of a search was: its ledger is replayed, and the forecast is asked after each ended trial.

`python -m benchmarks.expected STORE NAME [STORE NAME ...] --cpus 2`: any searches that have ended. The truth is the
search time of the whole ledger, confirmations included. The forecast sees what it would have seen then: neither later
stages nor the store.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tuner.recipe import Recipe
from tuner.search.cost.forecast import Forecast
from tuner.search.cost.prepare import held_by
from tuner.search.cost.sizes import Machine, sizes_of_bank
from tuner.search.record.events import Ended, Event, Started
from tuner.search.record.home import SearchHome, open_home
from tuner.search.record.restoration import restore
from tuner.search.record.state import SearchState
from tuner.store import open_store

AFTER = 3
"""Ended trials after which the forecast is to be right within 25 %."""


class Said(NamedTuple):
    """What was expected when so many trials had ended, in seconds of search time."""

    ended: int
    elapsed_s: float
    total_s: float


def recipe_of(home: SearchHome) -> Recipe:
    """The recipe of the run that ended its last trial, whose budget may be larger than that of the first."""
    recipe, _ = home.stored()
    runs: list[Started] = []
    known = 0  # runs until the last trial ended

    def look(event: Event) -> None:
        nonlocal known
        if isinstance(event, Started):
            runs.append(event)
        known = len(runs) if isinstance(event, Ended) else known

    home.state(recipe, look)
    last = runs[known - 1].recipe
    recipe.confirm.share = 0.0 if "confirm" not in last else recipe.confirm.share  # an early version
    for part in ("budget", "confirm", "stopping"):
        for name, value in last.get(part, {}).items():
            if name != "prices":
                setattr(getattr(recipe, part), name, value)
    return recipe


def replayed(home: SearchHome, machine: Machine) -> tuple[list[Said], SearchState, Forecast]:
    """What the forecast said after each ended trial, the state at the end, and the forecast."""
    recipe, (_, bank) = recipe_of(home), home.stored()
    sizes = sizes_of_bank(home.artifacts, bank, recipe)
    assert sizes is not None, "the store lacks the feature bank"
    found = Forecast(recipe, bank, sizes, machine, held_by(recipe, machine))
    entries = home.ledger.entries()
    said = list[Said]()
    for state in _states(entries, home):
        said.append(Said(len(state.finished()), state.elapsed_s, found.expected(state).total_s))
    return said, restore(entries, None, (), lambda _: None, home.ledger.tokens), found


def _states(entries: list[tuple[str, object]], home: SearchHome) -> Iterator[SearchState]:
    """The state after each outcome of a trial."""
    for place, (_, content) in enumerate(entries):
        if isinstance(content, dict) and content.get("event") == "outcome":
            yield restore(entries[: place + 1], None, (), lambda _: None, home.ledger.tokens)


def main() -> None:
    """Print a row for each search, and with --all one for each of its trials."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("places", nargs="+", metavar="STORE NAME", help="searches that have ended")
    parser.add_argument("--cpus", type=float, default=2.0, help="cores of the machine that ran them (default: 2)")
    parser.add_argument("--all", action="store_true", help="what was expected after each trial")
    given = parser.parse_args()
    print("search            trials  runs  took s  expected after 3  off %   worst later %  of which within 25 %")
    for store, name in zip(given.places[::2], given.places[1::2], strict=True):
        home = open_home(open_store(store), name)
        said, state, _ = replayed(home, Machine(given.cpus))
        took_s = state.elapsed_s
        off = [100 * (one.total_s / took_s - 1) for one in said if one.ended >= AFTER]
        runs = sum(len(trial.confirmations) for trial in state.trials.values())
        near = sum(abs(each) <= 25 for each in off)
        third = next((one.total_s for one in said if one.ended >= AFTER), None)
        if third is None:
            print(f"{f'{Path(store).name}/{name}':16}  {len(said):6}  fewer than {AFTER} trials have ended")
            continue
        print(
            f"{f'{Path(store).name}/{name}':16}  {len(said):6}  {runs:4}  {took_s:6.0f}  {third:16.0f}  {off[0]:+5.0f}"
            f"  {max(off, key=abs):+14.0f}  {near} of {len(off)}"
        )
        for one in said if given.all else ():
            print(f"    {one.ended:3} ended at {one.elapsed_s:6.0f} s: {one.total_s:6.0f} s expected")


if __name__ == "__main__":
    main()
