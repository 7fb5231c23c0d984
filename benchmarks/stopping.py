"""What early stopping saves and costs, by replaying a tabulated search: python -m benchmarks.stopping [TABLE]

Nothing is trained. First each rule is applied to the trials of searches without early stopping (`as a filter`): epochs
saved, and hypervolume lost with the trials that it ends. Then it runs inside searches, so that the sampler learns from
fewer values: hypervolume in % of that of the table's own front after the same number of trials, and after the same
cost, in epochs of fine-tuning. Means over the seeds with their standard error; differences are of the same seeds.
"""

import argparse
import itertools
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Shown

from benchmarks.machine import keep
from benchmarks.replay import TABLE, Merit, table
from tuner.recipe import Recipe, load_recipe
from tuner.search.propose.proposer import Proposer
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stopping.bar import bar_of
from tuner.search.stopping.promotion import Promotion

OBJECTIVES = (("accuracy", "interpretability"), ("accuracy", "plausibility_undilated", "class_independence"))
RULES = ("stopping.eta=2", "stopping.eta=3", "stopping.eta=4")
PROMOTED = ("stopping.eta=3", "stopping.eta=5")
OFF = "stopping.rung=0"
RUNG_EPOCH = 3  # of the table's ten
NAMES = (OFF, *RULES, *(f"{rule}, promotes" for rule in PROMOTED))
SHARES = (40, 60, 80, 100)  # of the epochs of whole trials, in %
N_CLASSES = 10
RUNG_MEASURED = 0.25  # the table's seconds of measuring at epochs are of four of them


@dataclass(frozen=True)
class Replayed:
    """One trial: its values, None if it was stopped, and its cost in epochs and in seconds without its dense stage."""

    values: dict[str, float] | None
    epochs: int
    seconds: float


def recipe_of(objectives: Sequence[str], seed: int, *overrides: str) -> Recipe:
    """The digits recipe, a rung at 0.3 unless an override says otherwise."""
    wanted = [f"objectives=[{', '.join(objectives)}]", f"seed={seed}", "stopping.rung=0.3", *overrides]
    return load_recipe("digits", wanted)


def proposals(recipe: Recipe, state: SearchState, draws: str) -> Iterator[TrialRecord]:
    """The search's trials as they are proposed, by the sampler or at random; the caller ends each."""
    proposer, rng = Proposer(recipe, N_CLASSES), np.random.default_rng([recipe.seed, 3])
    grid = table().points()
    for number in itertools.count():
        params = proposer.propose(number, state.trials) if draws == "sampler" else dict(grid[rng.integers(len(grid))])
        if params is None:
            return
        state.trials[number] = TrialRecord(number, params, known=proposer.known_at(number))
        yield state.trials[number]


def replay(path: Path, recipe: Recipe, trials: int, draws: str = "sampler") -> tuple[list[Replayed], SearchState]:
    """So many trials of a search, in order."""
    state, found = SearchState(), list[Replayed]()
    for trial in itertools.islice(proposals(recipe, state, draws), trials):
        found.append(run(path, recipe, state, trial))
    return found, state


def run(path: Path, recipe: Recipe, state: SearchState, trial: TrialRecord) -> Replayed:
    """What becomes of one trial."""
    result, bar = table(path).at(trial.params), bar_of(recipe, state, trial)
    spent, goes_on = result.seconds, True
    cost = spent["assign"] + spent["finetune"] + spent["evaluate"]
    if bar is not None:
        trial.rung, trial.rung_epochs = result.epochs[bar.epoch], (bar.epoch, bar.epochs)
        verdict = bar.judge(trial.rung)
        goes_on = verdict is None or verdict.goes_on
        cost += RUNG_MEASURED * spent["epoch_evals"]
    if goes_on:
        trial.outcome, trial.values = "complete", result.values
        return Replayed(result.values, recipe.finetune.epochs, cost)
    assert bar is not None, "only a comparison stops a trial"
    trial.outcome = "pruned"
    left = 1.0 - bar.epoch / bar.epochs
    return Replayed(None, bar.epoch, cost - left * spent["finetune"] - spent["evaluate"])


def filtered(path: Path, objectives: Sequence[str], trials: int, draws: str, seed: int) -> list[tuple[float, ...]]:
    """By rule: epochs saved in %, seconds saved in %, merit without and with the rule; all on the same trials."""
    merit = Merit(table(path), objectives)
    whole, state = replay(path, recipe_of(objectives, seed, OFF), trials, draws)
    rows = []
    for rule in RULES:
        recipe, again, kept = recipe_of(objectives, seed, rule), SearchState(), list[Replayed]()
        for number, trial in state.trials.items():
            again.trials[number] = TrialRecord(number, trial.params, known=trial.known)
            kept.append(run(path, recipe, again, again.trials[number]))
        rows.append((*saved(whole, kept), percent(merit, whole), percent(merit, kept)))
    return rows


def saved(whole: Sequence[Replayed], kept: Sequence[Replayed]) -> tuple[float, float]:
    """Epochs and seconds saved, in %."""
    epochs = sum(trial.epochs for trial in kept) / sum(trial.epochs for trial in whole)
    seconds = sum(trial.seconds for trial in kept) / sum(trial.seconds for trial in whole)
    return 100.0 * (1.0 - epochs), 100.0 * (1.0 - seconds)


def percent(merit: Merit, trials: Sequence[Replayed]) -> float:
    """The merit of the trials that were not stopped."""
    return merit.percent(trial.values for trial in trials if trial.values is not None)


def searched(path: Path, objectives: Sequence[str], trials: int, seed: int) -> list[tuple[float, ...]]:
    """By rule, off first: share stopped in %, epochs, merit after `trials`, and at each of `SHARES` of their epochs."""
    merit, rows = Merit(table(path), objectives), []
    for rule in (OFF, *RULES):
        recipe, state, found = recipe_of(objectives, seed, rule), SearchState(), list[Replayed]()
        most = trials * recipe.finetune.epochs
        for trial in proposals(recipe, state, "sampler"):
            found.append(run(path, recipe, state, trial))
            if sum(done.epochs for done in found) >= most:
                break
        counted = np.cumsum([done.epochs for done in found])
        within = [[d for d, e in zip(found, counted, strict=True) if 100 * e <= s * most] for s in SHARES]
        at = [percent(merit, trials_then) for trials_then in within]
        first = found[:trials]
        stopped = 100.0 * sum(done.values is None for done in first) / len(first)
        rows.append((stopped, float(sum(done.epochs for done in first)), percent(merit, first), *at))
    return [*rows, *(searched_paused(path, objectives, trials, rule, seed) for rule in PROMOTED)]


def paused(path: Path, recipe: Recipe, trials: int, most: float = math.inf) -> list[Replayed]:
    """A search whose trials pause, up to so many trials, and the end of all; or up to so many epochs.

    A promoted trial is one entry more, with the epochs behind the rung.
    """
    state, rule, found = SearchState(), Promotion(recipe), list[Replayed]()
    proposer, left = Proposer(recipe, N_CLASSES), recipe.finetune.epochs - RUNG_EPOCH

    def promote(turn: int | None, numbers: Sequence[int]) -> None:
        for number in numbers:
            trial = state.trials[number]
            trial.outcome, trial.reopened, trial.promoted = "complete", True, turn
            trial.values = table(path).at(trial.params).values
            found.append(Replayed(trial.values, left, 0.0))

    for number in range(trials):
        promote(number, rule.at_turn(state.trials, number))
        params = proposer.propose(number, rule.seen(state.trials, number))
        if params is None or sum(done.epochs for done in found) >= most:
            return found
        trial = state.trials[number] = TrialRecord(number, params, "pruned", known=proposer.known_at(number))
        trial.rung, trial.rung_epochs = table(path).at(params).epochs[RUNG_EPOCH], (RUNG_EPOCH, recipe.finetune.epochs)
        found.append(Replayed(None, RUNG_EPOCH, 0.0))
    while (more := rule.after_the_last(state)) is not None:
        promote(*more)
    return found


def searched_paused(path: Path, objectives: Sequence[str], trials: int, rule: str, seed: int) -> tuple[float, ...]:
    """As a row of `searched`; what goes on after the last proposal is counted at `trials` only."""
    merit, recipe = Merit(table(path), objectives), recipe_of(objectives, seed, rule, "stopping.promotes=true")
    most = trials * recipe.finetune.epochs
    whole, longer = paused(path, recipe, trials), paused(path, recipe, 4 * trials, most)
    counted = np.cumsum([done.epochs for done in longer])
    within = [[d for d, e in zip(longer, counted, strict=True) if 100 * e <= s * most] for s in SHARES]
    stopped = 100.0 * (1.0 - sum(done.values is not None for done in whole) / trials)
    epochs = float(sum(done.epochs for done in whole))
    return (stopped, epochs, percent(merit, whole), *(percent(merit, trials_then) for trials_then in within))


def of_seeds(work: Any, seeds: range, workers: int) -> np.ndarray:
    """(n_seeds, n_rules, n_figures)."""
    with ProcessPoolExecutor(workers) as pool:
        return np.array(list(pool.map(work, seeds)))


def figure(values: np.ndarray) -> str:
    """Mean and its standard error over the seeds."""
    return f"{values.mean():.1f} ± {values.std(ddof=1) / math.sqrt(len(values)):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="?", default=TABLE)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0, help="other seeds than those that the rule was chosen by")
    parser.add_argument("--objectives", nargs="+", help="instead of the two usual sets: other metrics of the table")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only-search", action="store_true", help="no filter")
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/stopping.json")
    given, console, results = parser.parse_args(), Console(), dict[str, Any]()
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    for objectives in [given.objectives] if given.objectives else OBJECTIVES:
        told = f"{', '.join(objectives)}; {given.trials} trials, {given.seeds} seeds"
        for draws in () if given.only_search else ("random", "sampler"):
            work = partial(filtered, given.table, objectives, given.trials, draws)
            found = of_seeds(work, seeds, given.workers)
            shown = Shown(
                "rule",
                "epochs saved %",
                "seconds saved %",
                "hypervolume lost %",
                title=f"filter of {draws} trials: {told}",
            )
            for rule, (epochs, seconds, whole, kept) in zip(RULES, np.moveaxis(found, 0, 2), strict=True):
                lost = 100.0 * (1.0 - kept.mean() / whole.mean())
                shown.add_row(rule.removeprefix("stopping."), figure(epochs), figure(seconds), f"{lost:.1f}")
            console.print(shown)
            results[f"filter {draws} {' '.join(objectives)}"] = found.mean(0).tolist()
        found = of_seeds(partial(searched, given.table, objectives, given.trials), seeds, given.workers)
        heads = (
            "rule",
            "stopped %",
            "epochs",
            f"at {given.trials} trials",
            *(f"at {s} % epochs" for s in SHARES),
            *(f"gained at {s} %" for s in SHARES),
        )
        shown = Shown(*heads, title=f"in the search, hypervolume in %: {told}")
        for rule, figures in zip(NAMES, np.moveaxis(found, 0, 2), strict=True):
            gained = figures[3:] - found[:, 0, 3:].T
            shown.add_row(rule.removeprefix("stopping."), *(figure(values) for values in (*figures, *gained)))
        console.print(shown)
        results[f"search {' '.join(objectives)}"] = found.mean(0).tolist()
    if given.keep:
        console.print(keep("stopping", {"seeds": given.seeds, "trials": given.trials, "results": results}))


if __name__ == "__main__":
    main()
