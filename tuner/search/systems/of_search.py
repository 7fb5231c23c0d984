"""Compares the front of a search with systems on the same bank and split, and records the results in its ledger.

Members were chosen by their first run, which therefore is too good by chance. So more than one seed means fresh ones,
for members and systems alike.
"""

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from tuner.base.progress import Progress
from tuner.recipe import Recipe, objectives_of
from tuner.recipe.backbones import backbone_points, searched_backbone
from tuner.recipe.schema import SHORT_NAMES, lookup
from tuner.search.execute.plan import StageSpec, evaluation
from tuner.search.record.events import Baseline, Measured
from tuner.search.record.front_view import require_points
from tuner.search.record.home import SearchHome
from tuner.search.record.searched_banks import Bank
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.systems import models
from tuner.search.systems.banks import banks_of
from tuner.search.systems.collecting import Planned, collect, comparison, planned, seeds_from
from tuner.search.systems.rows import Comparison, Row, Run
from tuner.search.systems.system import Tokens
from tuner.search.systems.table import BESIDE_A_FRONT, SYSTEMS, chosen
from tuner.search.watch.texts import number

SIZES = ("n_features", "features_per_class")  # shown in the title


def compare(home: SearchHome, progress: Progress, *, systems: Sequence[str] = (), seeds: int = 1) -> Comparison:
    """Measure the front on test beside systems, its own dense models and random controls.

    Args:
        home: the search.
        progress: receives progress.
        systems: names of systems; empty: the linear probe, the published sizes, and a random control of them.
        seeds: number of seeds. 1: that of the search, and the models of its trials. More: the seeds after it.

    Raises:
        UsageError: a system is unknown, or an earlier version whose stages gave other results started the search.
        TunerError: the front is empty, or something cannot be measured; completed work is kept.
    """
    wanted = chosen(systems, BESIDE_A_FRONT)
    require_points(home.front())
    home.require_this_code()
    recipe, bank = home.stored()
    numbers = seeds_from(recipe.seed + (seeds != 1), seeds)
    state = home.state()
    members = member_tokens(home, state)
    rows = planned_members(recipe, members, state, is_fresh=seeds != 1)
    keys = {row.stages(numbers[0])[-1].key for row in rows}
    banks = banks_of(wanted, recipe, home.artifacts, progress, bank=_own_bank(home, recipe, bank))
    for system in wanted:
        row = planned(system, recipe, banks[system.name])
        if row.row.absent or row.stages(numbers[0])[-1].key not in keys:
            told = (_named if system.selects else _backbone)(recipe, partial(_of_recipe, recipe))
            rows.append(dataclasses.replace(row, row=dataclasses.replace(row.row, parameters=told)))
    known = {b.key: b.values for b in state.baselines if b.key is not None}
    made = collect(home.artifacts, rows, numbers, recipe, progress, known)
    _record(home, state, made)
    return comparison(made, numbers, recipe, [*members.values(), *banks.values()])


def member_tokens(home: SearchHome, state: SearchState) -> dict[int, Tokens]:
    """What each member of the front was trained on, by its trial."""
    recipe, made = home.stored()[0], dict[str, Tokens]()
    keys = {member.trial: home.of_trial(member.params)[1] for member in state.members(objectives_of(recipe))}
    for key in keys.values():
        if key not in made:
            made[key] = Tokens.of(home.artifacts, key)
    return {trial: made[key] for trial, key in keys.items()}


def _own_bank(home: SearchHome, recipe: Recipe, bank: Bank) -> str:
    """The bank of the recipe's own backbone, on which systems are measured; empty: it is yet to be made."""
    if isinstance(bank, str):
        return bank
    own = repr(recipe.backbone)
    keys = (bank.of(at).key for at in map(recipe.at, backbone_points(recipe)) if repr(at.backbone) == own)
    return next((key for key in keys if home.artifacts.find("banks", key) is not None), "")


def planned_members(
    recipe: Recipe, members_on: Mapping[int, Tokens], state: SearchState, *, is_fresh: bool
) -> list[Planned]:
    """The members of the front, each with its random control, then their dense models.

    Args:
        recipe: of the search.
        members_on: what each member was trained on, by its trial: `member_tokens`.
        state: of the search.
        is_fresh: whether all are trained anew, with other seeds.
    """
    objectives = objectives_of(recipe)
    first = objectives[0]
    members = state.members(objectives)
    rows: list[Planned] = []
    behind: dict[str, Planned] = {}
    for member in sorted(members, key=lambda m: -first.goodness(m.values[first.name])):
        trial, at = state.trials[member.trial], recipe.at({name: member.params[name] for name in recipe.space})
        told, tokens = _named(recipe, member.params.__getitem__), members_on[member.trial]
        size = f"{at.assign.n_features}/{at.assign.features_per_class}"
        row = Row(f"trial-{trial.number}", f"trial {trial.number} {size}", "member", parameters=told)
        row = dataclasses.replace(row, note="a member of the front")
        known = () if is_fresh else _own(recipe, trial, _Stages(at, tokens))
        rows.append(Planned(row, _Stages(at, tokens), known))
        drawn = Row(f"random-{trial.number}", f"random {size}", "control", SYSTEMS["random"].note, parameters=told)
        rows.append(Planned(drawn, _Stages(models.drawn(at, tokens), tokens)))
        told = _backbone(recipe, member.params.__getitem__)
        dense = Row(
            f"dense-{trial.number}", f"dense {at.adapter.width}", "system", SYSTEMS["dense"].note, parameters=told
        )
        stages = _Stages(at, tokens, dense=True)
        behind.setdefault(stages(recipe.seed)[-1].key, Planned(dense, stages))
    return [*rows, *behind.values()]


@dataclasses.dataclass(frozen=True)
class _Stages:
    """The stages of a trial's model, or of its dense model, with a seed."""

    recipe: Recipe
    tokens: Tokens
    dense: bool = False

    def __call__(self, seed: int) -> list[StageSpec]:
        make = models.dense if self.dense else models.qpm
        made = make(dataclasses.replace(self.recipe, seed=seed), self.tokens)
        return [*made, evaluation(made[-1], "test")]


def _own(recipe: Recipe, trial: TrialRecord, stages: _Stages) -> tuple[Run, ...]:
    """The measurement of a trial on test that the search has made."""
    values = trial.values if recipe.protocol == "paper" else trial.test
    return (Run(recipe.seed, stages(recipe.seed)[-1].key, values),) if values else ()


def _of_recipe(recipe: Recipe, name: str) -> Any:
    return lookup(recipe, SHORT_NAMES.get(name, name))


def _named(recipe: Recipe, value: Callable[[str], Any]) -> str:
    """The searched parameters that no title shows, such as "width 48, l1 0.86"."""
    return ", ".join(f"{name} {number(value(name))}" for name in recipe.space if name not in SIZES)


def _backbone(recipe: Recipe, value: Callable[[str], Any]) -> str:
    """The searched settings of the backbone alone, for models of which nothing else is searched."""
    return ", ".join(f"{name} {number(value(name))}" for name in searched_backbone(recipe))


def _record(home: SearchHome, state: SearchState, rows: Sequence[Row]) -> None:
    """Append to the ledger what it does not hold: members on test, and the runs of all rows by their keys."""
    known = {b.key for b in state.baselines}
    recipe = home.stored()[0]
    for row in rows:
        trial = int(row.name.removeprefix("trial-")) if row.role == "member" else None
        name = row.title if trial is None else f"trial {trial}"
        name = f"{name}, {row.parameters}" if trial is None and row.parameters else name
        for run in row.runs:
            values, at = dict(run.values), time.time()
            if trial is not None and run.seed == recipe.seed:
                if not state.trials[trial].test and recipe.protocol != "paper":
                    home.append(Measured(at, trial, values, command="compare"))
            elif run.key not in known:
                made = Baseline(at, name, row.note, values, key=run.key, seed=run.seed, trial=trial, command="compare")
                home.append(made)
