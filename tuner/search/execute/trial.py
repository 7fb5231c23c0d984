"""Takes one trial through its stages to the outcome that the ledger records.

Runs inside the broker; depends neither on Ray Tune nor on how a stage is run.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from ray.exceptions import NodeDiedError, RayError, RayTaskError

from tuner.qpm.program_info import ProgramInfo
from tuner.search.execute.hang_detector import HungError
from tuner.search.execute.messages import StageUsed, TrialOutcome
from tuner.search.execute.plan import StageSpec
from tuner.search.record.stage_use import StageUse
from tuner.search.stages import model_stage
from tuner.store import StoreError


class CalledOffError(Exception):
    """A stage is not started because the search is stopping: its trial stays open."""


Use = Callable[[Sequence[StageSpec], int], Awaitable[StageUsed]]


async def run_trial(number: int, stages: Sequence[StageSpec], use: Use) -> TrialOutcome:
    """Take one trial through its stages; damaged artifacts are recreated, once per stage.

    Args:
        number: the trial.
        stages: in order; the last one measures.
        use: completes the first of a sequence of stages: `StageRuns.use`.
    """
    started = time.perf_counter()
    remade: list[str] = []
    for _ in range(len(stages) + 1):
        outcome = await _pass(number, stages, use)
        if outcome.outcome != "corrupt":
            break
        remade.append(outcome.cause or "")
    else:
        outcome = replace(outcome, outcome="failed", stage=None)
    return replace(outcome, remade=tuple(remade), seconds=time.perf_counter() - started)


async def _pass(number: int, stages: Sequence[StageSpec], use: Use) -> TrialOutcome:
    """One stage after the other, until one does not complete."""
    uses: list[StageUse] = []
    program: ProgramInfo | None = None
    values: dict[str, float] = {}
    for position, spec in enumerate(stages):
        try:
            result, used = await use(stages[position:], number)
        except asyncio.CancelledError as skipped:
            if not skipped.args:  # the broker itself ends
                raise
            return TrialOutcome("skipped", spec.stage, str(skipped), stages=tuple(uses), program=program)
        except Exception as error:
            return replace(_stopped(error, spec), stages=tuple(uses), program=program)
        uses.append(used)
        program = program or result.program
        values = result.values or {}
        if result.outcome != "complete":
            outcome, cause = result.outcome, result.cause
            if result.damaged and result.damaged[0] == "banks":
                outcome, cause = "halted", f"the feature bank cannot be read: {cause}"
            return TrialOutcome(outcome, spec.stage, cause, stages=tuple(uses), program=program)
    model = next((spec.key for spec in stages if spec.stage == model_stage().name), None)
    return TrialOutcome("complete", None, None, values, tuple(uses), model, program)


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
