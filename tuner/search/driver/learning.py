"""Trials of other searches that a search learns from: only of those whose values can be compared with its own.

Two searches can be compared if the settings of their trials differ in the space only. A field that one of them searches
and the other one fixes counts trial by trial.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tuner.base.progress import Progress
from tuner.errors import UsageError
from tuner.recipe import Recipe, constraints_of, objectives_of
from tuner.recipe.points import lies_in
from tuner.recipe.schema import PLACES, RUNTIME_PARTS, SHORT_NAMES, lookup, walk
from tuner.search.record.events import Learned
from tuner.search.record.home import SearchHome
from tuner.search.record.learned import LearnedTrial
from tuner.search.record.searched_banks import Bank, bank_key, bank_keys
from tuner.search.record.state import SearchState, TrialRecord

# Parts that do not change what a trial measures. Precision does, by less than a seed.
OF_THE_SEARCH = (*RUNTIME_PARTS, "space", "objectives", "constraints", "reference", "points", "sampler", "seed")
MOST_AT_ONCE = 1000  # trials in one event


def learned_from(
    home: SearchHome, names: Sequence[str], recipe: Recipe, bank: Bank, state: SearchState, progress: Progress
) -> list[Learned]:
    """The events by which a search learns from others; those that it has learnt from already are passed over.

    Where a driver was killed between the events of one search, the rest follows, also if the name is not given again.

    Args:
        home: the search.
        names: of the others, in the same store.
        recipe: of the search.
        bank: its feature bank.
        state: of the search.
        progress: receives progress messages.

    Raises:
        UsageError: the values of one of them cannot be compared with those of this search.
    """
    events = []
    for name in dict.fromkeys([*names, *unfinished(state)]):
        if name == home.name:
            raise UsageError(f"search {name!r} is to learn from itself", "another search", "leave out `learn_from`")
        known = {number for search, number in state.learned if search == name}
        if known and name not in unfinished(state):
            progress.say(f"already learning from {len(known)} trials of search {name!r}, as they were then")
            continue
        other = SearchHome(home.store, name, home.warn)
        if known and not other.exists():
            progress.warn(f"search {name!r} is gone before it was read to its end: {len(known)} of its trials count")
            continue
        old, old_bank = other.stored()
        _refuse_other(name, old, old_bank, recipe, bank)
        banks = (old_bank, bank)
        with progress.step(f"reading the trials of search {name!r}"):
            ended = sorted(other.state().finished(), key=lambda trial: trial.number)  # not in the order they ended
        trials = list(_comparable(ended, old, recipe, banks))
        others = len(ended) - len(trials)
        left = f"; {others} {'other does' if others == 1 else 'others do'} not lie in the space" if others else ""
        count = "1 trial" if len(trials) == 1 else f"{len(trials)} trials"
        progress.say(f"learning from {count} of search {name!r}{left}")
        if not other.is_of_this_code():
            progress.warn(f"search {name!r} was run by another version, whose values may differ a little")
        new = [trial for trial in trials if trial.trial not in known]
        total = len(known) + len(new)
        for start in range(0, len(new), MOST_AT_ONCE):
            events.append(Learned(time.time(), name, tuple(new[start : start + MOST_AT_ONCE]), total))
    return events


def unfinished(state: SearchState) -> list[str]:
    """The searches of which not all events came into the ledger: a driver was killed between them."""
    known = Counter(search for search, _ in state.learned)
    return [name for name, total in state.lessons.items() if known[name] < total]


def differing(old: Recipe, recipe: Recipe) -> list[str]:
    """Settings of trials that differ between two searches and are searched by neither, as `key: old, here new`."""
    searched = {SHORT_NAMES.get(name, name) for name in (*old.space, *recipe.space)}
    return [f"{key}: {was}, here {now}" for key, was, now in _differences(old, recipe) if key not in searched]


def _refuse_other(name: str, old: Recipe, old_bank: Bank, recipe: Recipe, bank: Bank) -> None:
    if changes := differing(old, recipe):
        raise UsageError(
            f"the trials of search {name!r} are not those of this search with other sizes, since settings differ that "
            "neither of them searches:\n    " + "\n    ".join(changes),
            "settings that differ in the space only, so that values can be compared",
            "drop the changes; or leave out `learn_from`, and give good points of that search as `points`",
        )
    if not set(bank_keys(old_bank)) & set(bank_keys(bank)):
        raise UsageError(
            f"search {name!r} was measured on other data, or on images read in another way "
            f"(bank {bank_keys(old_bank)[0][:8]}, here {bank_keys(bank)[0][:8]})",
            "the same images and backbone, so that its values can be compared",
            "leave out `learn_from`; identical stages are reused from the store anyway",
        )


def _differences(old: Recipe, recipe: Recipe) -> Iterator[tuple[str, Any, Any]]:
    before, after = ({path: value for path, value, _ in walk(one)} for one in (old, recipe))
    for key in dict.fromkeys([*before, *after]):
        if key.partition(".")[0] in OF_THE_SEARCH or key in PLACES or key.endswith(".precision"):
            continue
        was, now = before.get(key, "(absent)"), after.get(key, "(absent)")
        if was != now:
            yield key, was, now


def _comparable(
    trials: Sequence[TrialRecord], old: Recipe, recipe: Recipe, banks: tuple[Bank, Bank]
) -> Iterator[LearnedTrial]:
    """The trials that this search could have had, on the same feature bank: `banks` are those of both searches."""
    old_fields = {SHORT_NAMES.get(name, name): name for name in old.space}
    fields = {SHORT_NAMES.get(name, name) for name in recipe.space}
    fixed = {name: lookup(recipe, path) for path, name in old_fields.items() if path not in fields}
    names = [o.name for o in objectives_of(recipe)] + [c.name for c in constraints_of(recipe)]
    for trial in trials:
        if any(trial.params.get(name) != value for name, value in fixed.items()):
            continue
        params = {name: _of(trial.params, name, old) for name in recipe.space}
        if trial.outcome is None or not all(lies_in(recipe.space[name], value) for name, value in params.items()):
            continue
        if bank_key(banks[0], old.at(_searched(trial.params, old))) != bank_key(banks[1], recipe.at(params)):
            continue
        values = {name: trial.values[name] for name in dict.fromkeys(names) if name in trial.values}
        sizes = {name: value for name, value in trial.params.items() if name in names}
        yield LearnedTrial(trial.number, params | sizes, trial.outcome, trial.stage, values)


def _searched(params: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """The searched parameters of a trial."""
    return {name: params[name] for name in recipe.space}


def _of(params: Mapping[str, Any], name: str, old: Recipe) -> Any:
    """The value of a field in a trial; the fixed one of its recipe where it was not searched."""
    return params.get(name, lookup(old, SHORT_NAMES.get(name, name)))
