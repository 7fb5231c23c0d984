"""The front on test beside its baselines: linear probe, dense models, and random assignments of equal size.

All use the same bank and split. Each is a stage like any other: trained once, and kept in the store.
"""

import dataclasses
import time
from typing import Any

from rich.console import Group

from tuner.base.metric import METRICS
from tuner.base.progress import Progress
from tuner.base.tables import Column, FittedTable, note
from tuner.errors import TunerError
from tuner.front import pareto, uncertainty
from tuner.recipe import Recipe, objectives_of
from tuner.search.execute.broker import start_broker
from tuner.search.execute.broker_handle import closing
from tuner.search.execute.broker_monitor import run_trials
from tuner.search.execute.plan import StageSpec, evaluation, plan_trial
from tuner.search.outcome.measure import measure_front
from tuner.search.record.events import Baseline, Measured
from tuner.search.record.front_view import require_points
from tuner.search.record.home import SearchHome
from tuner.search.session.connect import ray_for, scratch_folder
from tuner.search.watch.front_table import measured
from tuner.search.watch.texts import heading, number


def shown() -> list[str]:
    """The compared metrics, most important first: no sizes, and composite metrics before their parts."""
    names = [name for name, metric in METRICS.items() if metric.unit != "features"]
    return sorted(names, key=lambda name: 0 if METRICS[name].is_share else 1 if METRICS[name].parts else 2)


def compare(home: SearchHome, progress: Progress) -> list[dict[str, Any]]:
    """Measure the missing baselines, and collect all results.

    Returns:
        Rows {"name", "note", "values", "errors"} on the test split: front members, then baselines. The errors are one
        standard error of each value that is a share of images.
    """
    require_points(home.front())
    home.require_this_code()
    recipe, bank = home.stored()
    with (
        ray_for(recipe.resources, progress) as resources,
        closing(start_broker(home.store.url, scratch_folder(), resources, recipe.budget.retries)) as broker,
    ):
        state = home.state()

        def record(event: Measured | Baseline) -> None:
            home.append(dataclasses.replace(event, command="compare"))

        measure_front(home, recipe, bank, state, broker, record, progress)
        state = home.state()
        objectives = objectives_of(recipe)
        members = pareto.front(state.points(objectives), objectives)
        wanted = _baselines(recipe, bank, [m.params for m in members])
        known = {b.name: b for b in state.baselines}
        missing = [row for row in wanted if row[0] not in known]
        with progress.step("measuring the baselines"):
            outcomes = run_trials(broker, [-1] * len(missing), [specs for _, _, specs in missing])
        for (name, note, _), outcome in zip(missing, outcomes, strict=True):
            if outcome.outcome != "complete":
                raise TunerError(
                    f"{name} could not be measured: {outcome.stage}: {outcome.cause}",
                    "every baseline to complete",
                    "fix the cause and run the same command again: completed measurements are kept",
                )
            known[name] = Baseline(time.time(), name, note, outcome.values)
            record(known[name])
    trials = [state.trials[member.trial] for member in members]
    rows = [(f"trial {t.number}", _size(t.params), t.test or t.values) for t in trials]
    rows += [(name, known[name].note, known[name].values) for name, _, _ in wanted]
    return [{"name": n, "note": note, "values": v, "errors": uncertainty.errors(v)} for n, note, v in rows]


def comparison_table(rows: list[dict[str, Any]]) -> Group:
    """The rows as a table, and the numbers of images behind it; columns that do not fit are left out."""
    names = [name for name in shown() if any(name in row["values"] for row in rows)]
    first = len(METRICS)
    columns = [Column("test split", [row["name"] for row in rows], weight=first + 1, words=True)]
    columns.append(Column("size", [row["note"] for row in rows], weight=first - 3, words=True))
    for place, name in enumerate(names):
        cells = [measured(name, row["values"]) for row in rows]
        columns.append(Column(heading(name), cells, weight=first - place))
    rests = uncertainty.legend(names, [row["values"] for row in rows])
    return Group(FittedTable(columns), *([note(f"{uncertainty.RULE}; {rests}")] if rests else []))


def _baselines(recipe: Recipe, bank: str, members: list[dict[str, Any]]) -> list[tuple[str, str, list[StageSpec]]]:
    """(name, note, stages up to the evaluation) of every baseline that the members require."""
    rows: dict[str, tuple[str, list[StageSpec]]] = {}
    for params in members:
        stages = {spec.stage: spec for spec in plan_trial(recipe, bank, params)}
        dense, program, finetune = stages["dense"], stages["assign"], stages["finetune"]
        probe = StageSpec("probe", {"split": dense.settings["split"]}, {"bank": bank}, dense.seed)
        rows["linear probe"] = ("", [probe, evaluation(probe, "test")])
        rows[f"dense, width {params['width']}"] = (
            f"{params['width']} features, real weights",
            [dense, evaluation(dense, "test")],
        )
        rows[f"random, {_size(params)}"] = (
            "random assignment, fine-tuned",
            _random(dense, program, finetune),
        )
    return [(name, note, specs) for name, (note, specs) in rows.items()]


def _random(dense: StageSpec, program: StageSpec, finetune: StageSpec) -> list[StageSpec]:
    """The stages of a member, with a random assignment of the same size instead of the program."""
    settings = {**program.settings, "assign": {**program.settings["assign"], "control": "random"}}
    drawn = dataclasses.replace(program, settings=settings)
    tuned = dataclasses.replace(finetune, inputs={**finetune.inputs, "assign": drawn.key})
    return [dense, drawn, tuned, evaluation(tuned, "test")]


def _size(params: dict[str, Any]) -> str:
    l1 = f", l1 {number(params['l1'])}" if "l1" in params else ""
    return f"{params['n_features']} features, {params['features_per_class']} per class, width {params['width']}{l1}"
