"""The front on test beside what it must beat: linear probe, dense models, and random assignments of equal size.

All on the same bank and split; each is a stage like any other, so it is trained once and kept in the store.
"""

import dataclasses
import time
from typing import Any

from rich.console import Console
from rich.table import Table

from tuner.errors import TunerError
from tuner.front import pareto
from tuner.recipe import Recipe, objectives_of
from tuner.search.connect import ray_for, scratch_folder
from tuner.search.finish import measure_front
from tuner.search.heartbeat import told
from tuner.search.home import SearchHome, require_points
from tuner.search.plan import StageSpec, evaluation, plan_trial
from tuner.search.progress import number
from tuner.search.stages import conduct_all, start_broker

SHOWN = (
    "accuracy",
    "interpretability",
    "plausibility",
    "plausibility_undilated",
    "mask_share",
    "sid5",
    "class_independence",
    "contrastiveness",
    "exact_zeros",
    "correlation",
    "structural_grounding",
)


def compare(home: SearchHome, console: Console) -> list[dict[str, Any]]:
    """Rows {"name", "note", "values"} on the test split: front members, then baselines; missing ones are run."""
    require_points(home.front())
    recipe, bank = home.stored()
    with ray_for(recipe.resources, console) as resources:
        broker = start_broker(home.store.url, scratch_folder(), resources)
        state = home.state()

        def record(event: Any) -> None:
            home.ledger.append(dict(event))

        measure_front(home, recipe, bank, state, broker, record, console)
        state = home.state()
        objectives = objectives_of(recipe)
        members = pareto.front(state.points(objectives), objectives)
        wanted = _baselines(recipe, bank, [m.params for m in members])
        known = {b["name"]: b for b in state.baselines}
        missing = [row for row in wanted if row[0] not in known]
        with told(console, "measuring the baselines"):
            measured = conduct_all(broker, [-1] * len(missing), [specs for _, _, specs in missing])
        for (name, note, _), outcome in zip(missing, measured, strict=True):
            if outcome["outcome"] != "complete":
                raise TunerError(
                    f"{name} could not be measured: {outcome['stage']}: {outcome['cause']}",
                    "every baseline to run to its end",
                    "mend the cause and run the same command again: what was measured is kept",
                )
            event = {"event": "baseline", "time_s": time.time(), "name": name, "note": note, "split": "test"}
            event["values"] = outcome["values"]
            record(event)
            known[name] = event
    rows = [
        {
            "name": f"trial {m.trial}",
            "note": _size(m.params),
            "values": state.trials[m.trial].test or state.trials[m.trial].values,
        }
        for m in members
    ]
    return rows + [{"name": n, "note": known[n]["note"], "values": known[n]["values"]} for n, _, _ in wanted]


def print_comparison(rows: list[dict[str, Any]], console: Console) -> None:
    """The rows as a table."""
    names = [name for name in SHOWN if any(name in row["values"] for row in rows)]
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("test split")
    for name in ("", *names):
        table.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        table.add_row(row["name"], row["note"], *(number(row["values"].get(name)) for name in names))
    console.print(table)


def _baselines(recipe: Recipe, bank: str, members: list[dict[str, Any]]) -> list[tuple[str, str, list[StageSpec]]]:
    """(name, note, stages up to the evaluation) of every baseline that the members ask for."""
    rows: dict[str, tuple[str, list[StageSpec]]] = {}
    for params in members:
        dense, program, finetune, _ = plan_trial(recipe, bank, params)
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
    """The stages of a member, its program replaced by a random assignment of the same size."""
    settings = {**program.settings, "assign": {**program.settings["assign"], "control": "random"}}
    drawn = dataclasses.replace(program, settings=settings)
    tuned = dataclasses.replace(finetune, inputs={**finetune.inputs, "assign": drawn.key})
    return [dense, drawn, tuned, evaluation(tuned, "test")]


def _size(params: dict[str, Any]) -> str:
    l1 = f", l1 {number(params['l1'])}" if "l1" in params else ""
    return f"{params['n_features']} features, {params['features_per_class']} per class, width {params['width']}{l1}"
