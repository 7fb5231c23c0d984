"""What early stopping saves and costs, by replaying a tabulated search: python -m benchmarks.stopping [TABLE]

Nothing is trained; the rule is the product's own. First it is applied to the trials of searches without early stopping
(`as a filter`): epochs saved, and hypervolume lost with the trials that are not trained to the end. Then it runs inside
searches, so that the sampler learns from fewer values: hypervolume in % of that of the table's own front after the same
number of trials and their promotions, and after the same cost, in epochs of fine-tuning (what would be promoted after
the last proposal is not counted there). Means over the seeds with their standard error; differences are of the same
seeds.
"""

import argparse
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
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
from tuner.search.stopping.promotion import promotion_of

OBJECTIVES = (("accuracy", "interpretability"), ("accuracy", "plausibility_undilated", "class_independence"))
RULES = ("stopping.eta=3", "stopping.eta=4", "stopping.eta=6", "stopping.eta=8")
OFF = "stopping.rung=0"
SHARES = (40, 60, 80, 100)  # of the epochs of whole trials, in %
N_CLASSES = 10
RUNG_MEASURED = 0.25  # the table's seconds of measuring at epochs are of four of them

Params = Mapping[str, Any]
Values = Mapping[str, float]


@dataclass
class Replay:
    """A search on the table.

    Args:
        path: of the table.
        recipe: of the search.
        points: of its trials; None: the sampler proposes them.

    Attributes:
        spent: what was done, in order: epochs, seconds without the dense stage, and values if a trial came to its end.
    """

    path: Path
    recipe: Recipe
    points: Sequence[Params] | None = None
    state: SearchState = field(default_factory=SearchState)
    spent: list[tuple[int, float, Values | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._proposer, self._rule = Proposer(self.recipe, N_CLASSES), promotion_of(self.recipe)

    def run(self, trials: int, most: float = math.inf) -> "Replay":
        """Propose up to so many trials, or until so many epochs are spent, as drivers do."""
        for number in range(len(self.state.trials), trials):
            if self.epochs >= most:
                break
            if self._rule is not None:
                self._promote(number, self._rule.at_turn(self.state.trials, number))
            params = self._proposed(number)
            if params is None:
                break
            trial = TrialRecord(number, dict(params), known=self._proposer.known_at(number))
            self.state.trials[number] = trial
            self._train(trial)
        return self

    def finish(self) -> "Replay":
        """Promote what is promoted after the last proposal."""
        while self._rule is not None and (more := self._rule.after_the_last(self.state)) is not None:
            self._promote(*more)
        return self

    @property
    def epochs(self) -> int:
        """Of fine-tuning, in all."""
        return sum(epochs for epochs, _, _ in self.spent)

    def values(self, most: float = math.inf) -> Iterator[Values]:
        """Those of the trials that came to their ends within so many epochs of the search."""
        total = 0
        for epochs, _, values in self.spent:
            total += epochs
            if values is not None and total <= most:
                yield values

    def _proposed(self, number: int) -> Params | None:
        if self.points is not None:
            return self.points[number]
        trials, rule = self.state.trials, self._rule
        if rule is None:
            return self._proposer.propose(number, trials)
        return self._proposer.propose(number, rule.seen(trials, number), rule.forecasts(trials, number))

    def _train(self, trial: TrialRecord) -> None:
        result, bar = table(self.path).at(trial.params), bar_of(self.recipe, self.state, trial)
        if bar is None:
            self._end(trial, 0)
            return
        trial.rung, trial.rung_epochs = result.epochs[bar.epoch], (bar.epoch, bar.epochs)
        seconds, share = result.seconds, bar.epoch / bar.epochs
        until = seconds["assign"] + share * seconds["finetune"] + RUNG_MEASURED * seconds["epoch_evals"]
        self.spent.append((bar.epoch, until, None))
        if bar.goes_on(trial.rung):
            self._end(trial, bar.epoch)
        else:
            trial.outcome = "pruned"

    def _promote(self, turn: int | None, numbers: Iterable[int]) -> None:
        for number in numbers:
            trial = self.state.trials[number]
            trial.reopened, trial.promoted = True, turn
            self._end(trial, (trial.rung_epochs or (0, 0))[0])

    def _end(self, trial: TrialRecord, since: int) -> None:
        """Train a trial to its end, from an epoch on."""
        result, epochs = table(self.path).at(trial.params), self.recipe.finetune.epochs
        trial.outcome, trial.values = "complete", result.values
        seconds = (1.0 - since / epochs) * result.seconds["finetune"] + result.seconds["evaluate"]
        seconds += 0.0 if since else result.seconds["assign"]
        self.spent.append((epochs - since, seconds, result.values))


def recipe_of(objectives: Sequence[str], seed: int, *overrides: str) -> Recipe:
    """The digits recipe, a rung at 0.3 unless an override says otherwise."""
    wanted = [f"objectives=[{', '.join(objectives)}]", f"seed={seed}", "stopping.rung=0.3", *overrides]
    return load_recipe("digits", wanted)


def points_of(path: Path, recipe: Recipe, trials: int, draws: str) -> list[Params]:
    """The points of a search without early stopping: by the sampler, or drawn from the table's."""
    if draws == "random":
        grid, rng = table(path).points(), np.random.default_rng([recipe.seed, 3])
        return [grid[place] for place in rng.integers(len(grid), size=trials)]
    return [trial.params for trial in Replay(path, recipe).run(trials).state.trials.values()]


def filtered(path: Path, objectives: Sequence[str], trials: int, draws: str, seed: int) -> list[tuple[float, ...]]:
    """By rule: epochs saved in %, seconds saved in %, merit without and with the rule; all on the same trials."""
    merit, off = Merit(table(path), objectives), recipe_of(objectives, seed, OFF)
    points, rows = points_of(path, off, trials, draws), list[tuple[float, ...]]()
    whole = Replay(path, off, points).run(trials)
    for rule in RULES:
        kept = Replay(path, recipe_of(objectives, seed, rule), points).run(trials).finish()
        epochs = 100.0 * (1.0 - kept.epochs / whole.epochs)
        seconds = 100.0 * (1.0 - seconds_of(kept) / seconds_of(whole))
        rows.append((epochs, seconds, merit.percent(whole.values()), merit.percent(kept.values())))
    return rows


def seconds_of(replay: Replay) -> float:
    """What a search took in all."""
    return sum(seconds for _, seconds, _ in replay.spent)


def searched(path: Path, objectives: Sequence[str], trials: int, seed: int) -> list[tuple[float, ...]]:
    """By rule, off first: share paused to the last in %, epochs, merit after `trials`, and at each of `SHARES`."""
    merit, rows = Merit(table(path), objectives), []
    for rule in (OFF, *RULES):
        recipe = recipe_of(objectives, seed, rule)
        most = trials * recipe.finetune.epochs
        first = Replay(path, recipe).run(trials).finish()
        paused = 100.0 * sum(t.outcome == "pruned" for t in first.state.trials.values()) / trials
        longer = Replay(path, recipe).run(5 * trials, most)
        at = [merit.percent(longer.values(share * most / 100)) for share in SHARES]
        rows.append((paused, float(first.epochs), merit.percent(first.values()), *at))
    return rows


def lost_of(whole: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(n_seeds,), hypervolume lost in % of the mean without."""
    return np.asarray(100.0 * (whole - kept) / whole.mean())


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
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--first-seed", type=int, default=0, help="other seeds than those that the rule was chosen by")
    parser.add_argument("--objectives", nargs="+", help="instead of the two usual sets: other metrics of the table")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--keep", action="store_true", help="write benchmarks/results/stopping.json")
    given, console, results = parser.parse_args(), Console(width=200), dict[str, Any]()
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    for objectives in [given.objectives] if given.objectives else OBJECTIVES:
        told = f"{', '.join(objectives)}; {given.trials} trials, {given.seeds} seeds"
        for draws in ("random", "sampler"):
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
                lost = lost_of(whole, kept)
                shown.add_row(rule.removeprefix("stopping."), figure(epochs), figure(seconds), figure(lost))
            console.print(shown)
            results[f"filter {draws} {' '.join(objectives)}"] = found.mean(0).tolist()
        found = of_seeds(partial(searched, given.table, objectives, given.trials), seeds, given.workers)
        heads = (
            "rule",
            "paused %",
            "epochs",
            f"at {given.trials} trials",
            *(f"at {s} % epochs" for s in SHARES),
            *(f"gained at {s} %" for s in SHARES),
        )
        shown = Shown(*heads, title=f"in the search, hypervolume in %: {told}")
        for rule, figures in zip((OFF, *RULES), np.moveaxis(found, 0, 2), strict=True):
            gained = figures[3:] - found[:, 0, 3:].T
            shown.add_row(rule.removeprefix("stopping."), *(figure(values) for values in (*figures, *gained)))
        console.print(shown)
        results[f"search {' '.join(objectives)}"] = found.mean(0).tolist()
    if given.keep:
        console.print(
            keep(
                "stopping",
                {"seeds": given.seeds, "first_seed": given.first_seed, "trials": given.trials, "results": results},
            )
        )


if __name__ == "__main__":
    main()
