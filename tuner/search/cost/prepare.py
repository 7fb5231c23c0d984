"""Makes the forecast of a search from its recipe, its bank and what the store knows."""

import dataclasses
import math

from tuner.recipe import Recipe, StageResources
from tuner.search.cost.earlier import earlier_times, known_stages
from tuner.search.cost.forecast import Forecast
from tuner.search.cost.sizes import Machine, Sizes
from tuner.search.record.searched_banks import Bank
from tuner.search.session.address import LOCAL_RAY, ray_address
from tuner.search.stages import bank_stage, of_a_trial, rung_stage
from tuner.store import Artifacts


def machine_of() -> Machine:
    """What stages will run on: this machine, or a cluster, which is taken to hold all parallel trials at once."""
    return Machine.here() if ray_address() == LOCAL_RAY else Machine(math.inf, math.inf)


def held_by(recipe: Recipe, machine: Machine) -> dict[str, StageResources]:
    """What a run of each stage of a trial holds; a share of -1 is one GPU where there is one."""
    found = {}
    for stage in (bank_stage(), *of_a_trial(), rung_stage()):
        asked: StageResources = getattr(recipe.resources, stage.resources or stage.name)
        share = (1.0 if machine.gpus else 0.0) if asked.gpus < 0 else asked.gpus
        found[stage.name] = dataclasses.replace(asked, gpus=share)
    return found


def make_forecast(artifacts: Artifacts, recipe: Recipe, bank: Bank, sizes: Sizes) -> Forecast:
    """The forecast of a search.

    Args:
        artifacts: of its store; only read.
        recipe: precision settled, budget included.
        bank: key of its feature bank, which may not be there yet.
        sizes: of the data.
    """
    machine = machine_of()
    held = held_by(recipe, machine)
    earlier = earlier_times(artifacts, bank, recipe, sizes, held)
    first = Forecast(recipe, bank, sizes, machine, held, earlier)
    known = known_stages(artifacts, first.keys())
    return Forecast(recipe, bank, sizes, machine, held, earlier, known) if known else first
