"""What a search is expected to take and has spent, in words."""

from tuner.base.steps import duration
from tuner.recipe import BudgetConfig, PricesConfig, Recipe
from tuner.search.cost.forecast import Expected
from tuner.search.cost.spent import Spent

SOURCES = {
    "search": "from the stages of this search so far",
    "store": "from stages of other searches on these data",
    "guess": "a first guess by the size of data and model",
}


def cost(spent: Spent, prices: PricesConfig) -> str:
    """An amount of resources: "1.4 CPU h, 0.7 GPU h, 2.10 EUR"; GPUs and money only where there are any."""
    texts = [f"{_hours(spent.cpu_hours)} CPU h"]
    texts += [f"{_hours(spent.gpu_hours)} GPU h"] if spent.gpu_s else []
    if prices.cpu_hour or prices.gpu_hour:
        texts.append(f"{_money(spent.money(prices))} {prices.currency}")
    return ", ".join(texts)


def cost_in_short(spent: Spent, budget: BudgetConfig) -> str:
    """The one figure of a cost that says most: money where prices are given, else GPU hours, else CPU hours.

    Of a limit where there is one: "0.56 of 2 CPU h". Empty while nothing has been spent.
    """
    if not (spent.cpu_s or spent.gpu_s):
        return ""
    prices = budget.prices
    if prices.cpu_hour or prices.gpu_hour:
        return _of(_money(spent.money(prices)), budget.money, prices.currency)
    if spent.gpu_s:
        return _of(_hours(spent.gpu_hours), budget.gpu_hours, "GPU h")
    return _of(_hours(spent.cpu_hours), budget.cpu_hours, "CPU h")


def _of(amount: str, limit: float, unit: str) -> str:
    return f"{amount} of {limit:g} {unit}" if limit else f"{amount} {unit}"


def _money(money: float) -> str:
    return f"{money:,.2f}" if money >= 0.1 else f"{money:.2g}"


def expected_line(found: Expected, recipe: Recipe) -> str:
    """The whole search in one line: how much work, how long, at what cost, and how sure that is."""
    return (
        f"expected: {work(found)} in about {duration(found.total_s)}, {cost(found.spent, recipe.budget.prices)}; "
        f"{SOURCES[found.source]}, {sure(found)}"
    )


def work(found: Expected) -> str:
    """ "40 trials and 12 confirmation runs"."""
    trials = f"{found.trials} {'trial' if found.trials == 1 else 'trials'}"
    runs = f"{found.runs} confirmation {'run' if found.runs == 1 else 'runs'}"
    return f"{trials} and {runs}" if found.runs else trials


def sure(found: Expected) -> str:
    """How far the figures may be off."""
    if found.factor < 2:
        return f"right within about {100 * (found.factor - 1):.0f} %"
    return f"right within a factor of about {found.factor:g}"


def limits_told(recipe: Recipe) -> list[str]:
    """The limits of a budget, one text each: "40 trials", "2 CPU h"."""
    budget = recipe.budget
    found = [f"{budget.trials} {'trial' if budget.trials == 1 else 'trials'}"]
    found += [f"{duration(budget.time_limit_s)} of search time"] if budget.time_limit_s else []
    found += [f"{budget.cpu_hours:g} CPU h"] if budget.cpu_hours else []
    found += [f"{budget.gpu_hours:g} GPU h"] if budget.gpu_hours else []
    found += [f"{budget.money:g} {budget.prices.currency}"] if budget.money else []
    if budget.patience:
        found.append(f"{budget.patience} trials in a row that add at most {100 * budget.tolerance:g} % beyond noise")
    return found


def ends_early(found: Expected, recipe: Recipe) -> str:
    """Which limit is expected to end the search before its last trial, and about when; empty if none is.

    Args:
        found: what the search is expected to take.
        recipe: of the search.
    """
    if not found.limit:
        return ""
    units = {"time_limit_s": "s", "cpu_hours": "CPU h", "gpu_hours": "GPU h", "money": recipe.budget.prices.currency}
    name = found.limit.removeprefix("budget.")
    limit = f"{found.limit} of {getattr(recipe.budget, name):,.15g} {units[name]}"
    return f"{limit} is expected to end it after about {found.trials} of {recipe.budget.trials} trials"


def _hours(hours: float) -> str:
    if hours < 0.1:
        return f"{hours:.2g}"
    return f"{hours:.2f}" if hours < 10 else f"{hours:,.0f}"
