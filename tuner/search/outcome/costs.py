"""What a search has cost, as its report shows it: by stage, in all, and after each complete trial."""

from collections.abc import Mapping, Sequence

from tuner.recipe import PricesConfig
from tuner.report.search_page import StageUse
from tuner.search.cost.spent import spent_by, spent_in
from tuner.search.cost.texts import cost
from tuner.search.outcome.history import Growth
from tuner.search.record.state import SearchState
from tuner.search.stages import STAGES


def stage_uses(state: SearchState, prices: PricesConfig) -> list[StageUse]:
    """Runs, reuse and cost of each stage, in all trials; confirmation runs are not among them."""
    uses = [use for trial in state.trials.values() for use in trial.stages]
    reuse = state.reuse()
    found = []
    for name in STAGES:
        if name in reuse:
            row, spent = reuse[name], spent_by(use for use in uses if use.stage == name)
            told = cost(spent, prices) if spent.cpu_s or spent.gpu_s else ""
            found.append(StageUse(name, int(row["runs"]), int(row["reused"]), row["seconds"], row["saved_s"], told))
    return found


def cost_in_all(state: SearchState, prices: PricesConfig) -> str:
    """What all stages have cost, confirmation runs included; empty before the first one."""
    spent = spent_in(state)
    return cost(spent, prices) if spent.cpu_s or spent.gpu_s else ""


def costs_so_far(grown: Sequence[Growth], prices: PricesConfig) -> Mapping[str, Sequence[float]]:
    """What trials had spent when each complete one ended, by resource; none where nothing was spent."""
    rows = {
        "CPU hours": [row.cpu_hours for row in grown],
        "GPU hours": [row.gpu_hours for row in grown],
        prices.currency: [row.money for row in grown],
    }
    return {name: values for name, values in rows.items() if any(values)}
