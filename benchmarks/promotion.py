"""What early stopping saves if stopped trials go on later: python -m benchmarks.promotion [TABLE]

As `benchmarks.stopping`, the tabulated search is replayed and nothing is trained. Every rule is applied to the trials
of searches without early stopping: epochs of fine-tuning saved, and hypervolume lost with the trials that are not
trained to the end, both in %, means of the seeds. The rules:

- `at once`: the rule of the product without `stopping.promotes`. A trial is judged at the rung, once, against the
  earlier trials it knows.
- `second look`: the same, and at the end of the search all trials that it ended are ranked among all trials once more;
  those in the first `1 / eta` go on. `eta 6, 4` judges with 6 at the rung and with 4 at the end.
- `pause, promote`: the rule of the product with it. Each trial, the first ones too, pauses at the rung. At each
  proposal, and at the end until nothing moves, the paused trials among the first `1 / eta` of those known go on:
  asynchronous successive halving with its promotions. What a proposal knows lags as in a search.
- `pause, promote, end values known`: the same if the rung told the true end values. No forecast is better.
"""

import argparse
import functools
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Shown

from benchmarks.machine import keep
from benchmarks.replay import TABLE, Merit, table
from benchmarks.stopping import OBJECTIVES, OFF, recipe_of, replay
from tuner.search.stopping.forecast import at_the_end, traits_of
from tuner.search.stopping.halving import Halving
from tuner.search.stopping.ranking import Losses, NonDominated

RUNG, EPOCHS, TRIALS, LAG, STARTUP = 3, 10, 40, 6, 5
NEVER = 10**6

Kept = np.ndarray  # (n_trials,) of bool: trained to the end


def at_once(rung: Losses, ended: Losses, traits: Losses, eta: float) -> Kept:
    """The rule of the product without promotions."""
    rule, kept = Halving(eta, STARTUP), np.zeros(len(rung), dtype=bool)
    for number in range(len(rung)):
        known = max(0, number - LAG + 1)
        told = np.where(kept[:known, None], ended[:known], np.nan)
        compared = np.append(traits[:known], traits[number : number + 1], axis=0)
        kept[number] = rule.judge(rung[:known], told, rung[number], (False,) * rung.shape[1], compared).goes_on
    return kept


def second_look(rung: Losses, ended: Losses, traits: Losses, eta: float, later: float) -> Kept:
    """The same, and one more comparison of all trials at the end."""
    kept, settled = at_once(rung, ended, traits, eta), False
    while not settled:
        worth = at_the_end(rung, np.where(kept[:, None], ended, np.nan), traits)
        more = kept | (NonDominated().places(worth) < round(len(rung) / later))
        kept, settled = more, bool((more == kept).all())
    return kept


def promoted(rung: Losses, ended: Losses, traits: Losses, eta: float, *, foresees: bool = False) -> Kept:
    """The rule of the product with promotions: all pause; some go on later."""
    since = np.full(len(rung), NEVER)  # the proposal at which a trial went on
    rule = Halving(eta, STARTUP)

    def look(now: int, since_when: int) -> None:
        known = min(len(rung), max(0, now - LAG + 1))
        told = np.where(foresees | (since[:known] <= since_when)[:, None], ended[:known], np.nan)
        first = rule.first(rung[:known], told, (False,) * rung.shape[1], traits[:known])
        since[:known][first & (since[:known] == NEVER)] = now

    for now in range(len(rung) + LAG):
        look(now, now - LAG)
    settled = False
    while not settled:
        before = since.copy()
        look(len(rung) + LAG, NEVER - 1)
        settled = bool((before == since).all())
    return np.asarray(since < NEVER)


RULES: dict[str, Callable[[Losses, Losses, Losses], Kept]] = {
    **{f"at once, eta {eta:g}": functools.partial(at_once, eta=eta) for eta in (2, 3, 4, 6)},
    **{f"second look, eta {a:g}, {b:g}": functools.partial(second_look, eta=a, later=b) for a, b in ((4, 4), (6, 4))},
    **{f"pause, promote, eta {eta:g}": functools.partial(promoted, eta=eta) for eta in (3, 4, 4.5, 5, 5.5, 6)},
    **{
        f"pause, promote, end values known, eta {eta:g}": functools.partial(promoted, eta=eta, foresees=True)
        for eta in (4.5, 6)
    },
}


def of_seed(path: Path, objectives: Sequence[str], draws: str, seed: int) -> list[tuple[float, float, float]]:
    """By rule: epochs saved in %, and the merit without and with it."""
    merit = Merit(table(path), objectives)
    whole, state = replay(path, recipe_of(objectives, seed, OFF), TRIALS, draws)
    trials = list(state.trials.values())
    rung = -np.array([[table(path).at(t.params).epochs[RUNG][o] for o in objectives] for t in trials])
    ended = -np.array([[t.values[o] for o in objectives] for t in trials])
    traits = traits_of([t.params for t in trials])
    all_of_them = merit.percent(t.values for t in whole if t.values)
    found = []
    for rule in RULES.values():
        kept = rule(rung, ended, traits)
        saved = 100.0 * (1.0 - kept.mean()) * (1.0 - RUNG / EPOCHS)
        found.append((saved, all_of_them, merit.percent(trials[i].values for i in np.flatnonzero(kept))))
    return found


def lost_of(whole: np.ndarray, kept: np.ndarray) -> tuple[float, float]:
    """Hypervolume lost in % of the mean without, and its standard error over the seeds."""
    lost = 100.0 * (whole - kept) / whole.mean()
    return float(lost.mean()), float(lost.std(ddof=1) / math.sqrt(len(lost)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="?", default=TABLE)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/promotion.json")
    given, console, results = parser.parse_args(), Console(width=120), dict[str, Any]()
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    for objectives in OBJECTIVES:
        for draws in ("sampler", "random"):
            work = functools.partial(of_seed, given.table, objectives, draws)
            with ProcessPoolExecutor(given.workers) as pool:
                found = np.array(list(pool.map(work, seeds)))
            told = f"{draws}'s trials" if draws == "sampler" else "trials at random"
            shown = Shown("rule", "epochs saved %", "hypervolume lost %", title=f"{', '.join(objectives)}; {told}")
            rows = {}
            for name, (saved, whole, kept) in zip(RULES, np.moveaxis(found, 0, 2), strict=True):
                lost, error = lost_of(whole, kept)
                rows[name] = {"saved": float(saved.mean()), "lost": lost, "lost_se": error}
                shown.add_row(name, f"{saved.mean():.1f}", f"{lost:.1f} ± {error:.1f}")
            console.print(shown)
            results[f"{draws} {' '.join(objectives)}"] = rows
    if given.keep:
        figures = {"seeds": given.seeds, "first_seed": given.first_seed, "trials": TRIALS, "results": results}
        console.print(keep("promotion", figures))


if __name__ == "__main__":
    main()
