"""One trial's way through its stages, to the outcome the ledger keeps.

Runs inside the broker; knows neither Ray Tune nor how a stage is run.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ray.exceptions import NodeDiedError, RayError, RayTaskError

from tuner.search.execute.hung import Hung
from tuner.search.execute.plan import StageSpec
from tuner.store import StoreFailure

POPPED = ("outcome", "cause", "damaged", "values", "program")  # of a stage, not kept for each


class CalledOff(Exception):
    """A stage is not begun, since the search is to stop: its trial stays open."""


Use = Callable[[Sequence[StageSpec], int], Awaitable[dict[str, Any]]]


async def conduct(number: int, stages: list[StageSpec], use: Use) -> dict[str, Any]:
    """Take one trial through its stages; a damaged artifact on the way is made again, each stage's once.

    Args:
        number: the trial.
        stages: in order; the last one evaluates.
        use: gets the first of a row of stages done, by whomever: `StageBroker.use`.

    Returns:
        The fields of the ledger's outcome event: outcome, stage, cause, values, program, stages, remade, model,
        seconds. `stage` is None where a trial failed through a disk, a node or a stage that hung, which says
        nothing of its parameters.
        Outcomes for the driver only: `halted`, the feature bank is damaged or the store fails, so no trial can go on;
        `called off`, the search is to stop.
    """
    started = time.perf_counter()
    remade: list[str] = []
    for _ in range(len(stages) + 1):
        record = await _pass(number, stages, use)
        if record["outcome"] != "corrupt":
            break
        remade.append(record["cause"])
    else:
        record |= {"outcome": "failed", "stage": None}
    return {**record, "remade": remade, "seconds": time.perf_counter() - started}


async def _pass(number: int, stages: list[StageSpec], use: Use) -> dict[str, Any]:
    """One stage after the other, as far as it goes."""
    uses: list[dict[str, Any]] = []
    record: dict[str, Any] = {"outcome": "complete", "stage": None, "cause": None, "values": {}, "model": None}
    record |= {"stages": uses, "program": None}
    for position, spec in enumerate(stages):
        try:
            used = await use(stages[position:], number)
        except CalledOff:
            return record | {"outcome": "called off", "stage": spec.stage}
        except StoreFailure as error:
            return record | {"outcome": "halted", "stage": spec.stage, "cause": error.what}
        except Hung as error:  # the machine's trouble, as far as anybody can tell
            return record | {"outcome": "failed", "stage": None, "cause": str(error)}
        except RayError as error:
            stage = None if isinstance(error, NodeDiedError) else spec.stage
            return record | {"outcome": "failed", "stage": stage, "cause": _cause(error)}
        outcome, cause, damaged, values, program = (used.pop(name) for name in POPPED)
        uses.append(used)
        record["program"] = record["program"] or program
        if outcome != "complete":
            if damaged and damaged[0] == "banks":
                outcome, cause = "halted", f"the feature bank cannot be read: {cause}"
            return record | {"outcome": outcome, "stage": spec.stage, "cause": cause}
    return record | {"values": values, "model": next((s.key for s in stages if s.stage == "finetune"), None)}


def _cause(error: RayError) -> str:
    """One line: what the stage raised, or that its worker died."""
    if isinstance(error, NodeDiedError):
        return "its node died again and again"
    if not isinstance(error, RayTaskError):
        return "its worker died again and again, perhaps for want of memory"
    inner = error.cause or error
    return f"{type(inner).__name__}: {inner}".splitlines()[0]
