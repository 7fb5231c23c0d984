"""Puts the rows of a comparison together: which runs each row needs, and its results."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from tuner.base.progress import Progress
from tuner.errors import InfeasibleError, UsageError
from tuner.recipe import Recipe
from tuner.search.execute.plan import StageSpec
from tuner.search.record.fields import N_SEEDS
from tuner.search.systems.measuring import Wanted, measure
from tuner.search.systems.published import published
from tuner.search.systems.rows import Comparison, Row, Run
from tuner.search.systems.system import System, Tokens
from tuner.store import Artifacts

MOST_SEEDS = 100
BY_SEED = Callable[[int], list[StageSpec]]


@dataclass(frozen=True)
class Planned:
    """A row before its runs are measured.

    Attributes:
        row: without runs.
        stages: of the run with a seed, up to the measurement.
        runs: those that are known already; the others are measured.
    """

    row: Row
    stages: BY_SEED
    runs: tuple[Run, ...] = ()


def seeds_from(first: int, n: object) -> tuple[int, ...]:
    """The seeds of a comparison.

    Raises:
        UsageError: the number is none of 1 to 100, or there are not so many seeds from the first one on.
    """
    if not (isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= MOST_SEEDS):
        raise UsageError(f"seeds={n!r}", f"a whole number from 1 to {MOST_SEEDS}", "give one, such as `seeds=3`")
    if first + n > N_SEEDS:
        raise UsageError(f"seed={first}, and {n} seeds from it on", f"seeds up to {N_SEEDS - 1}", "lower seed")
    return tuple(range(first, first + n))


def planned(system: System, recipe: Recipe, tokens: Tokens) -> Planned:
    """The row of a system; absent with its reason where the recipe or the bank does not allow it."""
    row = Row(
        system.name,
        f"{system.title} {system.size(recipe, tokens)}",
        "control" if system.control_of else "system",
        system.note,
        system.remarks(recipe, tokens),
        published=published(system.name, recipe.data.name, all_classes=recipe.data.classes == 0),
    )
    try:
        system.of(recipe, tokens)
    except InfeasibleError as error:
        row = replace(row, absent=error.what)
    return Planned(row, lambda seed: system.stages(recipe, tokens, seed))


def collect(
    artifacts: Artifacts,
    rows: Sequence[Planned],
    seeds: Sequence[int],
    recipe: Recipe,
    progress: Progress,
    known: Mapping[str, Mapping[str, float]] = MappingProxyType({}),
) -> list[Row]:
    """Measure the missing runs of all rows; a row none of whose runs completes is absent, with the cause.

    Args:
        artifacts: of the store.
        rows: the rows.
        seeds: of the runs of each row.
        recipe: its resources and retries.
        progress: receives progress.
        known: values by the key of their evaluation.
    """
    wanted = [
        (place, Wanted(row.row.title, seed, row.stages(seed)))
        for seed in seeds  # all rows with the first seed come first, so that an interrupted comparison compares
        for place, row in enumerate(rows)
        if not row.row.absent and seed not in {run.seed for run in row.runs}
    ]
    results = measure(artifacts, [need for _, need in wanted], recipe, progress, known)
    runs: list[list[Run]] = [list(row.runs) for row in rows]
    causes: list[list[str]] = [[] for _ in rows]
    for (place, need), result in zip(wanted, results, strict=True):
        if isinstance(result, Run):
            runs[place].append(result)
        else:
            causes[place].append(f"seed {need.seed}: {result.stage or 'its run'} {result.outcome}: {result.cause}")
    made = zip(rows, runs, causes, strict=True)
    return [row.row.with_runs(sorted(done, key=lambda run: run.seed), "; ".join(told)) for row, done, told in made]


def comparison(rows: Sequence[Row], seeds: Sequence[int], recipe: Recipe, banks: Iterable[Tokens]) -> Comparison:
    """The rows with what they share, and what the banks they were measured on lack."""
    adapter, tuned = recipe.adapter, recipe.finetune
    sizes = {"width": adapter.width, "l1": tuned.l1}
    shared = [f"{name} {value:g}" for name, value in sizes.items() if name not in recipe.space]
    epochs = f"{recipe.dense.epochs} + {tuned.epochs} epochs (more in proportion where more were published)"
    shared += [f"{adapter.n_layers} layers of {adapter.hidden}", epochs]
    share = "all" if recipe.protocol == "paper" else f"{100 * (1 - recipe.validation_fraction):.0f} %"
    told = f"{', '.join(shared)}; trained on {share} of the training images (protocol={recipe.protocol})"
    return Comparison(tuple(rows), tuple(seeds), told, {what: t.key for t in banks for what in t.not_looked_for})
