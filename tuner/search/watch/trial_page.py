"""One trial in full: its parameters, what it does or how it ended, its stages with artifacts and logs, its values."""

import shlex
import time
from typing import Any

from rich.console import Group, RenderableType

from tuner.base.metric import METRICS
from tuner.base.tables import Column, FittedTable, note, plain_line
from tuner.errors import UsageError
from tuner.front import uncertainty, words
from tuner.search.control.drivers import current_driver
from tuner.search.control.now import Now, read_now
from tuner.search.execute.plan import plan_trial
from tuner.search.execute.stage_log import log_key, read_log
from tuner.search.record.home import SearchHome
from tuner.search.record.stage_use import StageUse
from tuner.search.record.state import SearchState, TrialRecord
from tuner.search.stages import STAGES
from tuner.search.watch.texts import figure, number
from tuner.search.watch.trial_curves import curves_document, curves_text

LOG_LINES = 12
"""Lines of a log that are shown if no other number is asked for."""
DATE = "%Y-%m-%d %H:%M:%S"


def trial_document(home: SearchHome, trial: int, *, log_lines: int = LOG_LINES) -> dict[str, Any]:
    """One trial as a JSON document.

    Args:
        home: the search.
        trial: its number.
        log_lines: the last lines of each log that are read; 0: none.

    Raises:
        UsageError: there is no such trial.
    """
    state = home.state()
    record = state.trials.get(trial)
    if record is None:
        last = max(state.trials, default=None)
        known = "none has begun yet" if last is None else f"a trial from 0 to {last}"
        todo = f"qpm-tuner trial {_address(home)} lists them"
        raise UsageError(f"no trial {trial} in search {home.name!r}", known, todo)
    now = None if record.outcome else read_now(home.store, home.name)
    stages = _stages(home, record, now, log_lines)
    doing = None if now is None else now.trials.get(trial)
    return {
        "search": home.name,
        "trial": trial,
        "state": record.outcome or "open",
        "doing": _doing(record, now),
        "where": doing.where if doing else "",
        "params": record.params,
        "instruction": record.instruction,
        "proposed_s": record.proposed_at or None,
        "ended_s": record.ended_at or None,
        "seconds": record.seconds if record.outcome else None,
        "stage": record.stage,
        "cause": record.cause,
        "values": record.values,
        "rung": record.rung,
        "rung_epochs": record.rung_epochs,
        "reopened": record.reopened,
        "errors": uncertainty.errors(record.values),
        "test": record.test,
        "member": trial in {member.trial for member in home.front(state=state).members},
        "stages": stages,
        "curves": curves_document(home, record),
        "commands": _commands(home, record),
    }


def trial_text(document: dict[str, Any], *, all_logs: bool = False) -> Group:
    """The document as text for a terminal, with the log of the last stage that has one, or of every stage."""
    params = ", ".join(f"{name} {number(value)}" for name, value in document["params"].items())
    state = document["doing"] if document["state"] == "open" else document["state"]
    front = ", on the front" if document["member"] else ""
    took = "" if document["seconds"] is None else f" after {document['seconds']:.0f} s"
    lines: list[RenderableType] = [
        plain_line(f"trial {document['trial']} of search {document['search']}: {state}{took}{front}", "bold"),
        plain_line(f"parameters: {params}"),
    ]
    lines += [plain_line(f"it runs on {document['where']}")] if document["where"] else []
    by = "" if document["instruction"] is None else f", added by instruction {document['instruction']}"
    begun = _date(document["proposed_s"])
    lines.append(plain_line(f"begun {begun}{by}, ended {_date(document['ended_s'])}"))
    if document["cause"]:
        where = f" in {document['stage']}" if document["stage"] else ""
        lines.append(plain_line(f"cause{where}: {document['cause']}"))
    if document["reopened"] and document["rung_epochs"]:
        epoch, epochs = document["rung_epochs"]
        lines.append(plain_line(f"it paused at epoch {epoch} of {epochs}, and went on later"))
    if document["rung_epochs"] and not document["values"]:
        epoch, epochs = document["rung_epochs"]
        known = {name: value for name, value in document["rung"].items() if not uncertainty.is_count(name)}
        told = ", ".join(f"{words.name(name)} {figure(name, value)}" for name, value in known.items())
        lines.append(plain_line(f"at the rung, epoch {epoch} of {epochs}: {told}"))
    lines += [_stage_table(document["stages"]), *curves_text(document["curves"]), *_values(document)]
    logged = [stage for stage in document["stages"] if stage["log"]]
    for stage in logged if all_logs else logged[-1:]:
        lines.append(plain_line(f"log of {stage['stage']}, its last lines ({stage['log_key']}):"))
        lines += [note(f"  {line}") for line in stage["log"]]
    lines += [plain_line(f"{what}: {command}") for what, command in document["commands"].items()]
    return Group(*lines)


def trials_text(home: SearchHome) -> Group:
    """All trials of a search, one line each, below what its driver does."""
    state, now = home.state(), read_now(home.store, home.name)
    driver = current_driver(home.store, home.name).told()
    lines: list[RenderableType] = [plain_line(f"driven by {driver}" if driver else "no driver runs")]
    if now is not None and driver:
        lines.append(plain_line(f"{now.summary} ({now.age_s:.0f} s ago)"))
    lines.append(_trials_table(home, state, now) if state.trials else plain_line("no trial has begun yet"))
    return Group(*lines)


def _trials_table(home: SearchHome, state: SearchState, now: Now | None) -> FittedTable:
    trials = sorted(state.trials.values(), key=lambda trial: trial.number)
    view = home.front(state=state)
    members = {member.trial for member in view.members}
    states = [_state(trial, now, member=trial.number in members) for trial in trials]
    columns = [Column("trial", [str(trial.number) for trial in trials], weight=9)]
    columns.append(Column("state", states, weight=8, words=True))
    searched = [name for name in home.stored()[0].space if any(name in trial.params for trial in trials)]
    columns += [Column(name, [number(trial.params.get(name)) for trial in trials], weight=2) for name in searched]
    for name in (objective.name for objective in view.objectives if objective.name not in searched):
        known = [{**trial.params, **trial.values} for trial in trials]
        cells = [figure(name, values.get(name), uncertainty.error(name, values)) for values in known]
        columns.append(Column(METRICS[name].heading if name in METRICS else name, cells, weight=6))
    columns.append(Column("s", [f"{trial.seconds:.0f}" if trial.outcome else "" for trial in trials], weight=1))
    return FittedTable(columns)


def open_trials(home: SearchHome) -> list[dict[str, Any]]:
    """All trials in short, for `--json`."""
    state, now = home.state(), read_now(home.store, home.name)
    return [
        {"trial": n, "state": trial.outcome or "open", "doing": _doing(trial, now), "params": trial.params}
        for n, trial in sorted(state.trials.items())
    ]


def _state(trial: TrialRecord, now: Now | None, *, member: bool) -> str:
    return "on the front" if member else trial.outcome or _doing(trial, now)


def _doing(record: TrialRecord, now: Now | None) -> str:
    """What an open trial does, and how old that knowledge is."""
    if record.outcome:
        return ""
    if now is None:
        return "open: no driver runs, or it does not say what it does"
    doing = now.trials.get(record.number)
    return f"{doing.words if doing else 'waiting for its turn'} ({now.age_s:.0f} s ago)"


def _stages(home: SearchHome, record: TrialRecord, now: Now | None, log_lines: int) -> list[dict[str, Any]]:
    """The stages of a trial in order, with what became of each and the end of its log."""
    uses = {use.stage: use for use in record.stages}
    doing = None if now is None else now.trials.get(record.number)
    found = []
    for stage, key in _keys(home, record).items():
        use = uses.get(stage)
        stored = home.artifacts.find(STAGES[stage].kind, key) is not None
        state = "reused" if use is not None and use.reused else "done" if stored else "not begun"
        if doing is not None and doing.stage == stage:
            state = "running" if doing.where else "waiting"
        elif stage == record.stage:
            state = record.outcome or state
        log = read_log(home.store, stage, key)[-log_lines:] if log_lines else []
        seconds, waited_s = _times(use)
        if doing is not None and doing.stage == stage:
            seconds = doing.seconds
        found.append(
            {
                "stage": stage,
                "state": state,
                "seconds": seconds,
                "waited_s": waited_s,
                "saved_s": use.saved_s if use else None,
                "key": key,
                "artifact": f"{STAGES[stage].kind}/{key}" if stored else "",
                "log_key": log_key(stage, key),
                "log": log,
            }
        )
    return found


def _times(use: StageUse | None) -> tuple[float | None, float | None]:
    """Seconds that a stage ran for a trial, and that the trial waited for it beside that; None: unknown."""
    if use is None:
        return None, None
    if use.ran_s is None:  # an earlier version told only both together
        return use.seconds, None
    return use.ran_s, max(0.0, use.seconds - use.ran_s)


def _keys(home: SearchHome, record: TrialRecord) -> dict[str, str]:
    """The key of each stage in order: those that the ledger has, then those that follow from the parameters."""
    known = {use.stage: use.key for use in record.stages}
    if not home.is_of_this_code():  # its keys follow from other rules
        return known
    recipe, bank = home.stored()
    planned = {spec.stage: spec.key for spec in plan_trial(recipe, bank, record.params)}
    return known | {stage: key for stage, key in planned.items() if stage not in known}


def _stage_table(stages: list[dict[str, Any]]) -> RenderableType:
    def seconds(value: float | None) -> str:
        return "" if value is None else f"{value:.1f}"

    return FittedTable(
        [
            Column("stage", [stage["stage"] for stage in stages], weight=9),
            Column("state", [stage["state"] for stage in stages], weight=8),
            Column("s", [seconds(stage["seconds"]) for stage in stages], weight=7),
            Column("s waited", [seconds(stage["waited_s"]) for stage in stages], weight=2),
            Column("s saved", [seconds(stage["saved_s"]) for stage in stages], weight=3),
            Column("artifact", [stage["artifact"] for stage in stages], weight=5, words=True, narrowest=50),
        ]
    )


def _values(document: dict[str, Any]) -> list[RenderableType]:
    """The values of a trial with their noise; and those on test, if it is a member of the front."""
    names = [name for name in document["values"] if name in METRICS]
    if not names:
        return []
    values, test = document["values"], document["test"]
    columns = [
        Column("metric", [METRICS[name].heading for name in names], weight=9, words=True),
        Column("value", [figure(name, values[name], uncertainty.error(name, values)) for name in names], weight=8),
    ]
    if test:
        shown = [figure(name, test.get(name), uncertainty.error(name, test)) for name in names]
        columns.append(Column("on test", shown, weight=6))
    columns.append(Column("unit", [METRICS[name].unit for name in names], weight=5, words=True, narrowest=4))
    legend = uncertainty.legend(names, [values])
    return [FittedTable(columns), note(f"{uncertainty.RULE}; {legend}" if legend else uncertainty.RULE)]


def _commands(home: SearchHome, record: TrialRecord) -> dict[str, str]:
    """What to do next with a trial, by name."""
    if record.outcome is None:
        return {"skip it": f"qpm-tuner control {_address(home)} skip {record.number}"}
    if record.outcome == "complete":
        return {"explain it": f"qpm-tuner explain {_address(home)} --trial {record.number}"}
    searched = " ".join(f"{name}={shlex.quote(str(value))}" for name, value in _searched(home, record).items())
    return {"run it again": f"qpm-tuner control {_address(home)} add {searched}"}


def _searched(home: SearchHome, record: TrialRecord) -> dict[str, Any]:
    return {name: record.params[name] for name in home.stored()[0].space if name in record.params}


def _address(home: SearchHome) -> str:
    return f"--store {shlex.quote(home.store.url)} --name {home.name}"


def _date(time_s: float | None) -> str:
    return "not yet" if time_s is None else time.strftime(DATE, time.localtime(time_s))
