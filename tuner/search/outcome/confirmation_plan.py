"""Which runs confirm a front, and how long they take: a trial's stages with other seeds and validation splits.

A confirmation run repeats a member of the front from the dense stage on, so that all that is random is drawn anew.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median

from tuner.base.steps import duration
from tuner.errors import UsageError
from tuner.front.order import by_promise
from tuner.recipe import ConfirmConfig, Recipe, check_recipe, objectives_of
from tuner.search.cost.spent import Spent, spent_by
from tuner.search.execute.plan import StageSpec, plan
from tuner.search.record.fields import N_SEEDS
from tuner.search.record.front_view import require_points
from tuner.search.record.home import SearchHome
from tuner.search.record.searched_banks import Bank
from tuner.search.record.state import SearchState
from tuner.search.stages import model_stage, rung_stage


@dataclass(frozen=True)
class ConfirmationRun:
    """One run.

    Attributes:
        trial: the member that it repeats.
        seed: of training, program and measurement.
        split_seed: of the cut between train and validation.
        recipe: the trial's, with these seeds.
        bank: the feature bank.
    """

    trial: int
    seed: int
    split_seed: int
    recipe: Recipe
    bank: Bank

    @cached_property
    def stages(self) -> list[StageSpec]:
        """Its stages in order; the last one measures."""
        return plan(self.recipe, self.bank)


def asked(home: SearchHome, seeds: int | None, splits: int | None) -> ConfirmConfig:
    """How to confirm the whole front of a search; None: as its recipe says.

    Raises:
        UsageError: there are no further runs, or too many; or the stored recipe's protocol has no validation split.
        TunerError: there is no front.
    """
    recipe, _ = home.stored()
    changed = {name: n for name, n in (("seeds", seeds), ("splits", splits)) if n is not None}
    recipe.confirm = dataclasses.replace(recipe.confirm, **changed)
    check_recipe(recipe)
    if not recipe.confirm.runs:
        raise UsageError(
            f"confirm.seeds={recipe.confirm.seeds} and confirm.splits=1: the run that the search has made already",
            "at least two seeds, or two validation splits",
            "ask for more `seeds`, such as 5",
        )
    require_points(home.front())
    return recipe.confirm


def members(recipe: Recipe, state: SearchState) -> list[int]:
    """The front's members, the most promising first."""
    objectives = objectives_of(recipe)
    return [m.trial for m in by_promise(state.members(objectives), objectives)]


def within_share(recipe: Recipe, state: SearchState) -> list[int]:
    """The members that a search confirms by itself: as many as its share of the runs pays for, but at least one.

    See docs/explanation/method.md#confirmation.
    """
    return members(recipe, state)[: recipe.confirm.most_members(sum(state.counts().values()))]


def missing_runs(recipe: Recipe, bank: Bank, state: SearchState, trials: Sequence[int]) -> list[ConfirmationRun]:
    """The runs that these members still lack, member after member, all seeds of a split before the next split."""
    found = []
    for trial in trials:
        record = state.trials[trial]
        params = {name: record.params[name] for name in recipe.space}
        for split in range(recipe.confirm.splits):
            for seed in range(recipe.confirm.seeds):
                repeated = recipe.at(params)
                repeated.seed = (repeated.seed + seed) % N_SEEDS
                repeated.data.split_seed = (repeated.data.split_seed + split) % N_SEEDS
                run = (repeated.seed, repeated.data.split_seed)
                if (seed or split) and run not in record.confirmations:
                    found.append(ConfirmationRun(trial, *run, repeated, bank))
    return found


def seconds(runs: Sequence[ConfirmationRun], state: SearchState) -> float:
    """The wall time that runs will take, from the times of the search's own stages; 0 if it has none.

    A stage takes the median of its times; the first ones include the start of the workers. Stages run side by side as
    they did in the search: the ratio of search time to the sum of its stages is kept.
    """
    uses = [use for trial in state.trials.values() for use in trial.stages]
    uses += [use for trial in state.trials.values() for done in trial.confirmations.values() for use in done.stages]
    known = {use.key for use in uses}
    of_stage: dict[str, list[float]] = {}
    for use in uses:
        of_stage.setdefault(use.stage, []).append(use.took_s)
    spent = sum(use.took_s for trial in state.trials.values() for use in trial.stages if not use.reused)
    if model_stage().name in of_stage and (before := of_stage.get(rung_stage().name)):  # it went on from the rung
        of_stage[model_stage().name] = [median(of_stage[model_stage().name]) + median(before)]
    left = {spec.key: spec.stage for run in runs for spec in run.stages if spec.key not in known}
    total = sum(median(of_stage[stage]) for stage in left.values() if stage in of_stage)
    return total * (min(1.0, state.elapsed_s / spent) if spent > 0 and state.elapsed_s > 0 else 1.0)


def cost(runs: Sequence[ConfirmationRun], state: SearchState) -> Spent:
    """The CPU and GPU time that runs will hold, from that of the search's own stages; nothing if it has none.

    A stage takes the median of the times of the runs of its name.
    """
    uses = [use for trial in state.trials.values() for use in trial.stages]
    uses += [use for trial in state.trials.values() for done in trial.confirmations.values() for use in done.stages]
    known = {use.key for use in uses}
    of_stage: dict[str, list[Spent]] = {}
    for use in uses:
        if not use.reused:
            of_stage.setdefault(use.stage, []).append(spent_by([use]))
    total = Spent()
    for stage in {spec.key: spec.stage for run in runs for spec in run.stages if spec.key not in known}.values():
        if stage in of_stage:
            spent = of_stage[stage]
            total += Spent(median(one.cpu_s for one in spent), median(one.gpu_s for one in spent))
    return total


def offer(home: SearchHome, recipe: Recipe, state: SearchState) -> tuple[int, str] | None:
    """Seeds and cost of confirming what is not confirmed: 3, "8 runs of 4 members, about 2 min".

    None if all members are, if there is no front, or if the stages of an earlier version gave other results.
    """
    config = recipe.confirm if recipe.confirm.runs else dataclasses.replace(recipe.confirm, seeds=ConfirmConfig().seeds)
    asked_for, bank = dataclasses.replace(recipe, confirm=config), home.stored()[1]
    runs = missing_runs(asked_for, bank, state, members(asked_for, state)) if home.is_of_this_code() else []
    return (config.seeds, told(runs, state)) if runs else None


def told(runs: Sequence[ConfirmationRun], state: SearchState) -> str:
    """Their cost in words: "8 runs of 4 members, about 2 min"; without a time where none has been measured."""
    n, time = len({run.trial for run in runs}), seconds(runs, state)
    text = f"{_runs(len(runs))} of {n} {'member' if n == 1 else 'members'}"
    return f"{text}, about {duration(time)}" if time else text


def announcement(recipe: Recipe) -> str:
    """What a search says at its start of the runs that it adds at its end; empty if it adds none."""
    if not recipe.confirm.kept:
        return ""
    most = recipe.confirm.most_members(recipe.budget.trials) * recipe.confirm.runs
    again = "with other seeds" if recipe.confirm.splits == 1 else "with other seeds and validation splits"
    return (
        f"after the last trial, the best of the front are trained again {again}, in at most {_runs(most)}; "
        "confirm.share=0 leaves this out"
    )


def _runs(n: int) -> str:
    return f"{n} run" if n == 1 else f"{n} runs"
