"""What an open trial does or waits for, in words: a stage, a free GPU, a stage of another trial, its turn."""

from collections.abc import Mapping, Sequence

from tuner.recipe import StageResources
from tuner.search.execute.messages import RunSnapshot
from tuner.search.watch.texts import told_stage

Needs = Mapping[str, StageResources]


def doing(trial: int, runs: Sequence[RunSnapshot], needs: Needs, *, paused: bool = False) -> str:
    """What a trial does or waits for.

    Args:
        trial: its number.
        runs: the active runs of stages.
        needs: what a run of each stage holds.
        paused: whether no trial may begin.
    """
    own = next((run for run in runs if run.trial == trial and trial in (run.waiting or (trial,))), None)
    other = next((run for run in runs if run.trial != trial and trial in run.waiting), None)
    if own is not None:
        return told_run(own, needs)
    if other is not None:
        return f"waiting for {other.stage} of trial {other.trial}"
    return "waiting until the search is resumed" if paused else "waiting for its turn"


def told_run(run: RunSnapshot, needs: Needs) -> str:
    """A run of a stage, and what it waits for if it has not begun."""
    if run.begun or run.elsewhere or run.stage not in needs:
        return told_stage(run)
    return f"{run.stage} waiting for {held(needs[run.stage])}"


def held(need: StageResources) -> str:
    """What a stage holds, as something to wait for: "a GPU", "0.25 GPU", "2 CPUs"."""
    if need.gpus > 0:
        return "a GPU" if need.gpus == 1 else f"{need.gpus:g} GPU"
    return "a CPU" if need.cpus == 1 else f"{need.cpus:g} CPUs"
