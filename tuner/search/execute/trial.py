"""Takes one trial through its stages to the outcome that the ledger records.

Runs inside the broker; depends neither on Ray Tune nor on how a stage is run.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from ray.exceptions import NodeDiedError, RayError, RayTaskError

from tuner.search.execute.hang_detector import HungError
from tuner.search.execute.messages import StageUsed, TrialOutcome
from tuner.search.execute.plan import StageSpec
from tuner.search.stages import model_stage, rung_stage
from tuner.search.stopping.bar import Bar
from tuner.store import StoreError


class CalledOffError(Exception):
    """A stage is not started because the search is stopping: its trial stays open."""


Use = Callable[[Sequence[StageSpec], int], Awaitable[StageUsed]]


async def run_trial(number: int, stages: Sequence[StageSpec], use: Use, bar: Bar | None = None) -> TrialOutcome:
    """Take one trial through its stages; damaged artifacts are recreated, once per stage.

    Args:
        number: the trial.
        stages: in order; the last one measures.
        use: completes the first of a sequence of stages: `StageRuns.use`.
        bar: what it is compared with at its rung, which is among the stages; None: there is none.
    """
    started = time.perf_counter()
    remade: list[str] = []
    for _ in range(len(stages) + 1):
        outcome = await _pass(number, stages, use, bar)
        if outcome.outcome != "corrupt":
            break
        remade.append(outcome.cause or "")
    else:
        outcome = replace(outcome, outcome="failed", stage=None)
    return replace(outcome, remade=tuple(remade), seconds=time.perf_counter() - started)


async def _pass(number: int, stages: Sequence[StageSpec], use: Use, bar: Bar | None) -> TrialOutcome:
    """One stage after the other, until one does not complete, or the trial is stopped at its rung."""
    so_far = TrialOutcome("complete")
    for position, spec in enumerate(stages):
        try:
            result, used = await use(_until_the_rung(stages[position:]), number)
        except asyncio.CancelledError as skipped:
            if not skipped.args:  # the broker itself ends
                raise
            return replace(so_far, outcome="skipped", stage=spec.stage, cause=str(skipped))
        except Exception as error:
            return _with(_stopped(error, spec), so_far)
        so_far = replace(so_far, stages=(*so_far.stages, used), program=so_far.program or result.program)
        if result.outcome != "complete":
            outcome, cause = result.outcome, result.cause
            if result.damaged and result.damaged[0] == "banks" and not stages[0].row.makes_a_bank:
                outcome, cause = "halted", f"the feature bank cannot be read: {cause}"
            return replace(so_far, outcome=outcome, stage=spec.stage, cause=cause)
        if spec.stage != rung_stage().name:
            so_far = replace(so_far, values=result.values or {})
        elif bar is not None:
            so_far = replace(so_far, rung=result.values or {}, rung_epochs=(bar.epoch, bar.epochs))
            if not bar.goes_on(so_far.rung):
                return replace(so_far, outcome="pruned", stage=model_stage().name, cause=bar.cause)
    return replace(so_far, model=next((spec.key for spec in stages if spec.stage == model_stage().name), None))


def _until_the_rung(stages: Sequence[StageSpec]) -> Sequence[StageSpec]:
    """The stages up to and with the rung, if it is still to come: what follows may not be needed."""
    places = [place for place, spec in enumerate(stages) if spec.stage == rung_stage().name]
    return stages[: places[0] + 1] if places else stages


def _with(end: TrialOutcome, so_far: TrialOutcome) -> TrialOutcome:
    """How a trial ended, with what it had done until then."""
    return replace(so_far, outcome=end.outcome, stage=end.stage, cause=end.cause)


def _stopped(error: Exception, spec: StageSpec) -> TrialOutcome:
    """The outcome of a trial whose stage raised; unrelated errors are raised again."""
    match error:
        case CalledOffError():
            return TrialOutcome("called off", spec.stage)
        case StoreError():
            return TrialOutcome("halted", spec.stage, error.what)
        case HungError():  # presumably a fault of the machine
            return TrialOutcome("failed", None, str(error))
        case NodeDiedError():
            return TrialOutcome("failed", None, "its node died repeatedly")
        case RayTaskError():
            inner = error.cause or error
            return TrialOutcome("failed", spec.stage, f"{type(inner).__name__}: {inner}".splitlines()[0])
        case RayError():
            return TrialOutcome("failed", spec.stage, "its worker died repeatedly, perhaps for lack of memory")
    raise error
