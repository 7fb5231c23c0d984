"""What a run of a search would do, told without starting or writing anything (`qpm-tuner search --dry-run`)."""

from dataclasses import dataclass

from tuner.base.steps import duration
from tuner.errors import UsageError
from tuner.recipe import Recipe, allowed_space, caution, objectives_of
from tuner.recipe.backbones import backbone_names, searched_backbone
from tuner.search.cost.banks import told_banks
from tuner.search.cost.forecast import Expected
from tuner.search.cost.guess import FACTOR, guess_s
from tuner.search.cost.prepare import held_by, machine_of, make_forecast
from tuner.search.cost.sizes import Sizes, sizes_of_bank, trained_on
from tuner.search.cost.texts import SOURCES, cost, ends_early, limits_told, sure
from tuner.search.execute.searched import bank_sources, require_usable_backbones, settle_banks
from tuner.search.propose.first_points import refuse_impossible
from tuner.search.propose.lag import adopt_lag, settle_lag
from tuner.search.propose.registry import make_sampler
from tuner.search.record.home import SearchHome
from tuner.search.record.searched_banks import Bank, SearchedBanks
from tuner.search.record.state import SearchState
from tuner.search.session.precision import adopt_precision, settle_precision
from tuner.search.stages import bank_stage
from tuner.search.watch.mirror import tracking_uri
from tuner.tracking.connection import redact


@dataclass(frozen=True)
class DryRun:
    """The plan of a run.

    Attributes:
        home: the search.
        recipe: what would be run.
        state: of the search now.
        expected: what it is expected to take.
        extract_s: seconds that the features would presumably be extracted first, which is not part of the expected
            time; 0: they are there.
        banks: of a search over backbones: its banks, and the keys of those that are in the store; else None.
    """

    home: SearchHome
    recipe: Recipe
    state: SearchState
    expected: Expected
    extract_s: float
    banks: tuple[SearchedBanks, frozenset[str]] | None = None

    def lines(self) -> list[tuple[str, str]]:
        """Headings and texts, in order."""
        recipe, found = self.recipe, self.expected
        ended = len(self.state.finished())
        limits = limits_told(recipe)
        stages = [(f"  {name}", f"asked for {n} times, run {runs} times") for name, (n, runs) in found.stages.items()]
        rows = [
            ("search", f"{self.home.name} in {self.home.store.url}{'' if self.home.exists() else ', new'}"),
            ("data", f"{recipe.data.name}, {' or '.join(backbone_names(recipe))} features{self._bank()}"),
            *(() if self.banks is None else told_banks(recipe, *self.banks)),
            ("searched", ""),
            *((f"  {name}", _dimension(dimension)) for name, dimension in allowed_space(recipe).items()),
            ("objectives", ", ".join(f"{o.name} ({o.direction})" for o in objectives_of(recipe))),
            *([("constraints", ", ".join(recipe.constraints))] if recipe.constraints else []),
            (
                "trials",
                f"{found.trials}, {recipe.budget.parallel} at once" + (f"; {ended} have ended" if ended else ""),
            ),
            ("confirmation", f"about {found.runs} runs of members of the front" if found.runs else "none"),
            ("ends at", f"{limits[0]}{''.join(f', or {limit}' for limit in limits[1:])}"),
            ("stages left", "" if stages else "none"),
            *stages,
            ("time left", f"about {duration(found.left_s)}, {sure(found)}"),
            *(() if not self.extract_s else (("extraction", self._extraction()),)),
            ("cost left", cost(found.left, recipe.budget.prices)),
            ("these are", SOURCES[found.source]),
            ("report", self.home.address("report.html")),
            ("MLflow", self._mlflow()),
        ]
        if told := ends_early(found, recipe):
            rows.append(("note", told))
        if self.state.paused is not None:
            rows.append(("note", f"paused by {self.state.paused.by}: no trial begins until it is resumed"))
        if found.trials < recipe.budget.trials:
            rows.append(("note", f"the space has no more than {found.trials} points"))
        if told := caution(recipe, recipe.budget.trials, 0):
            rows.append(("caution", told))
        return rows

    def _bank(self) -> str:
        if self.banks is not None:
            n, made = len(self.banks[0].keys), len(self.banks[1])
            return f" in {n} banks" + (f", {made} of them there" if made else "")
        return ", which are extracted first" if self.extract_s else ""

    def _extraction(self) -> str:
        return f"about {duration(self.extract_s)} before that, right within a factor of about {FACTOR:g}"

    def _mlflow(self) -> str:
        if not self.recipe.tracking.enabled:
            return "switched off (tracking.enabled)"
        uri = tracking_uri(self.home, self.recipe.tracking)
        return redact(uri, uri)


def dry_run(home: SearchHome, asked: Recipe | None, trials: int | None = None) -> DryRun:
    """Make the plan of a run.

    Args:
        home: the search.
        asked: the recipe, or None for the stored one.
        trials: trials in all, or None for the recipe's budget.

    Raises:
        UsageError: the run would refuse the recipe.
        TunerError: data or weights are missing.
    """
    if home.exists():
        recipe, bank = home.stored()
        if asked is not None:
            asked = adopt_lag(adopt_precision(asked, recipe), recipe)
            home.refuse_changes(recipe, asked)
            asked.space = recipe.space
            recipe = asked
        state, stored = home.state(recipe), sizes_of_bank(home.artifacts, bank, recipe)
        sizes, extracts = stored or _sizes_of_data(recipe)[0], stored is None
    else:
        if asked is None:
            raise UsageError(
                f"no search {home.name!r} in {home.store.url}", "a recipe to start it with", "add `recipe=digits`"
            )
        recipe, state = settle_lag(settle_precision(asked)), SearchState()
        sizes, bank = _sizes_of_data(recipe)
        extracts = isinstance(bank, str) and home.artifacts.find("banks", bank) is None
    if trials is not None:
        recipe.budget.trials = trials
    recipe.budget.trials = state.in_force(recipe.budget.trials)
    forecast = make_forecast(home.artifacts, recipe, bank, sizes)
    banks = None
    if isinstance(bank, SearchedBanks):
        banks = bank, frozenset(key for key in bank.keys if home.artifacts.find("banks", key) is not None)
    held = held_by(recipe, machine_of())[bank_stage().name]
    extract_s = guess_s(bank_stage().name, recipe, sizes, held) if extracts else 0.0
    return DryRun(home, recipe, state, forecast.expected(state), extract_s, banks)


def _sizes_of_data(recipe: Recipe) -> tuple[Sizes, Bank]:
    """The sizes of data whose features are not in the store, and the bank that they would have."""
    from tuner.data.load import load_dataset
    from tuner.search.driver.adapter_check import refuse_unfit
    from tuner.search.driver.objective_check import refuse_unmeasurable
    from tuner.search.driver.split_check import refuse_unusable

    require_usable_backbones(recipe)
    dataset = load_dataset(recipe.data)
    refuse_unusable(recipe, dataset)
    refuse_unmeasurable(recipe, dataset)
    sources = bank_sources(recipe, dataset)
    for source in sources:
        refuse_unfit(recipe, source.facts)
    refuse_impossible(recipe, len(dataset.class_names))
    make_sampler(recipe)
    facts, n_train = sources[0].facts, trained_on(int(dataset.is_train.sum()), recipe)
    tokens = facts.grid[0] * facts.grid[1]
    sizes = Sizes(n_train, len(dataset), tokens, facts.dim, len(dataset.class_names))
    return sizes, settle_banks(recipe, sources) if searched_backbone(recipe) else sources[0].key


def _dimension(dimension: dict[str, object]) -> str:
    if isinstance(choices := dimension.get("choices"), list):
        return ", ".join(map(str, choices))
    by = f" by {dimension['step']}" if dimension.get("step") else ", logarithmic" if dimension.get("log") else ""
    return f"{dimension['low']} to {dimension['high']}{by}"


def text(plan: DryRun) -> str:
    """The plan as lines of text."""
    rows = plan.lines()
    width = max(len(heading) for heading, _ in rows) + 2
    return "\n".join(f"{heading:{width}}{told}".rstrip() for heading, told in rows)
