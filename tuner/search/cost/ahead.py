"""The rows of stages that are still to come: of trials, such as they may be proposed, and of confirmation runs."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tuner.recipe import Recipe, StageResources
from tuner.search.cost.draws import draw_points
from tuner.search.cost.makespan import Work
from tuner.search.cost.rows import epoch_of, row_of
from tuner.search.cost.sizes import Sizes
from tuner.search.record.fields import N_SEEDS
from tuner.search.record.searched_banks import Bank
from tuner.search.record.state import TrialRecord

MOST_DRAWN = 200
"""Trials whose stages are drawn; of more, the rest is taken to be like the last quarter of these."""

Run = tuple[int, int]


class Ahead:
    """Rows of stages with guessed times. They follow the budget, which a person may change while the search runs.

    Args:
        recipe: of the search, precision settled, budget included.
        bank: its feature bank.
        sizes: of the data.
        held: what a run of each stage holds, shares of GPUs settled.

    Attributes:
        points: those that are taken to be proposed, drawn at random.
    """

    def __init__(self, recipe: Recipe, bank: Bank, sizes: Sizes, held: Mapping[str, StageResources]) -> None:
        self._recipe, self._bank, self._sizes, self._held = recipe, bank, sizes, held
        self.points: list[dict[str, Any]] = []
        self._asked = 0
        self._rows: list[list[Work]] = []
        self._shared: set[str] = set()
        self._of_trials: dict[int, list[Work]] = {}
        self._whole: dict[int, list[Work]] = {}
        self._runs: dict[tuple[Any, ...], list[Work]] = {}
        self._draw()

    @property
    def trials(self) -> int:
        """Trials in all: as asked for, or as many as the space has points."""
        self._draw()
        asked = self._recipe.budget.trials
        return min(asked, len(self.points)) if len(self.points) < self._asked else asked

    def keys(self) -> dict[str, list[str]]:
        """The keys of the stages ahead, by stage, those of confirmations included."""
        self._draw()
        members = self.points[: self._recipe.confirm.most_members(self.trials)]
        again = [row for point in members for row in self.repeated(point)]
        found: dict[str, list[str]] = {}
        for work in (work for row in [*self._rows, *again] for work in row):
            found.setdefault(work.stage, []).append(work.key)
        return found

    def coming(self, n: int, past: int) -> list[list[Work]]:
        """Rows of `n` trials after the first `past`, such as they may be proposed."""
        self._draw()
        rows = self._rows[past : past + n]
        if not self._rows or len(rows) == n:
            return rows
        alike = self._rows[-max(1, len(self._rows) // 4) :]
        return rows + [self._renamed(alike[i % len(alike)], i) for i in range(n - len(rows))]

    def of(self, trial: TrialRecord) -> list[Work]:
        """The row of a trial that has begun."""
        if trial.number not in self._of_trials:
            self._of_trials[trial.number] = self._row(self._at(self.point_of(trial)), epoch_of(self._recipe, trial))
        return self._of_trials[trial.number]

    def whole(self, trial: TrialRecord) -> list[Work]:
        """The row of a trial without its rung, as its confirmation runs have it."""
        if trial.number not in self._whole:
            self._whole[trial.number] = self._row(self._at(self.point_of(trial)))
        return self._whole[trial.number]

    def point_of(self, trial: TrialRecord) -> dict[str, Any]:
        """The searched parameters of a trial."""
        return {name: trial.params[name] for name in self._recipe.space if name in trial.params}

    def repeated(self, point: Mapping[str, Any], done: Collection[Run] = ()) -> list[list[Work]]:
        """The rows of the confirmation runs of a member, as `outcome.confirmation_plan.missing_runs`.

        Args:
            point: its searched parameters.
            done: seed and split of the runs that it has already.
        """
        rows = []
        for split in range(self._recipe.confirm.splits):
            for seed in range(self._recipe.confirm.seeds):
                if not (seed or split):
                    continue
                again = self._at(point)
                again.seed = (again.seed + seed) % N_SEEDS
                again.data.split_seed = (again.data.split_seed + split) % N_SEEDS
                run = (again.seed, again.data.split_seed)
                if run not in done:
                    key = (*run, *point.values())
                    self._runs[key] = self._runs.get(key) or self._row(again)
                    rows.append(self._runs[key])
        return rows

    def _draw(self) -> None:
        """Draw more points if the budget has grown."""
        wanted = min(self._recipe.budget.trials, MOST_DRAWN)
        if wanted <= self._asked:
            return
        points = draw_points(self._recipe, wanted)
        self._rows += [
            self._row(at, at.stopping.rung_epoch(at.finetune.epochs))
            for at in map(self._at, points[len(self.points) :])
        ]
        self.points, self._asked = points, wanted
        counts = Counter(work.key for row in self._rows for work in {work.key: work for work in row}.values())
        self._shared = {key for key, n in counts.items() if n > 1}

    def _at(self, point: Mapping[str, Any]) -> Recipe:
        return self._recipe.at(point)

    def _row(self, recipe: Recipe, epoch: int | None = None) -> list[Work]:
        return row_of(recipe, self._bank, self._sizes, self._held, epoch)

    def _renamed(self, row: Sequence[Work], i: int) -> list[Work]:
        """A row like another one, with stages of its own where that one had such."""
        return [work if work.key in self._shared else work._replace(key=f"{work.key}+{i}") for work in row]
