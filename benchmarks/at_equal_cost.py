"""Searches beside each other at equal cost: python -m benchmarks.at_equal_cost --store STORE NAME NAME ...

For searches of one store that differ in early stopping only. Cost is in epochs of fine-tuning, that of 100 % all epochs
of the first search; those of a trial that was promoted count when it has ended. Shown is the hypervolume of the trials
that have ended by then, in % of that of the front of all searches together; the reference point is the nadir of that
front, lowered by a tenth of its range. It is one search each, on one validation split: a few points of difference mean
nothing.
"""

import argparse

import moocore
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.replay import MARGIN
from tuner.recipe import objectives_of
from tuner.search.record.home import SearchHome
from tuner.store import open_store

SHARES = (20, 40, 60, 80, 100)

Spent = list[tuple[int, list[float] | None]]  # epochs, and what a trial that ended by them is worth


def spending(home: SearchHome) -> Spent:
    """The epochs of fine-tuning of a search, in the order in which its trials ended."""
    recipe, _ = home.stored()
    found: Spent = []
    for trial in home.state().finished():
        epochs = int(trial.params.get("finetune.epochs", recipe.finetune.epochs))
        rung = trial.rung_epochs[0] if trial.rung_epochs and (trial.reopened or trial.outcome == "pruned") else 0
        if rung:
            found.append((rung, None))
        if trial.outcome == "complete":
            known = {**trial.params, **trial.values}
            signed = [known[o.name] * (-1.0 if o.direction == "min" else 1.0) for o in objectives_of(recipe)]
            found.append((epochs - rung, signed))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", required=True)
    parser.add_argument("names", nargs="+", metavar="NAME")
    given, console = parser.parse_args(), Console(width=120)
    spent = {name: spending(SearchHome(open_store(given.store, known=True), name)) for name in given.names}
    everything = np.array([values for one in spent.values() for _, values in one if values is not None])
    front = everything[moocore.is_nondominated(everything, maximise=True)]
    reference = front.min(axis=0) - MARGIN * np.ptp(front, axis=0)
    whole = moocore.hypervolume(front, ref=reference, maximise=True)
    most = sum(epochs for epochs, _ in spent[given.names[0]])
    shown = Table("search", "epochs", "complete", *(f"at {share} %" for share in SHARES), "at its end")
    for name, one in spent.items():
        total = np.cumsum([epochs for epochs, _ in one])
        row = []
        for limit in (*(share * most / 100 for share in SHARES), np.inf):
            ended = [values for at, (_, values) in zip(total, one, strict=True) if values is not None and at <= limit]
            volume = moocore.hypervolume(np.array(ended), ref=reference, maximise=True) if ended else 0.0
            row.append(f"{100 * volume / whole:.1f}")
        shown.add_row(name, str(total[-1]), str(sum(values is not None for _, values in one)), *row)
    console.print(shown)


if __name__ == "__main__":
    main()
