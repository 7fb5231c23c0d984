"""The learning curves of the front's members and of pruned trials, for the report."""

from collections.abc import Iterator, Sequence

from tuner.base.progress import Progress
from tuner.errors import TunerError
from tuner.front.words import listing
from tuner.qpm.curves import VALIDATION
from tuner.report.analysis_views import Curve
from tuner.search.record.home import SearchHome
from tuner.search.record.restoration import SearchState
from tuner.search.record.values import curves_of, read_curves
from tuner.search.stages import model_stage, rung_stage, trained

MOST = 12  # members, and pruned trials, whose curves are drawn; more cannot be told apart


def learning_curves(home: SearchHome, state: SearchState, trials: Sequence[int], progress: Progress) -> Iterator[Curve]:
    """The curves of the first few of these trials and of pruned ones, each run once.

    Those that cannot be read are told in one line.
    """
    missing: dict[int, str] = {}
    pruned = [number for number, trial in sorted(state.trials.items()) if trial.outcome == "pruned"]
    drawn = list(dict.fromkeys([*trials[:MOST], *pruned[:MOST]]))
    for stage in trained():
        users: dict[tuple[str, str], list[int]] = {}
        for number in drawn:
            if (run := curves_of(state.trials[number], stage.name)) is not None:
                users.setdefault(run, []).append(number)
        for (source, key), numbers in users.items():
            try:
                rows = read_curves(home.artifacts, source, key)
            except TunerError as error:
                missing |= {number: error.what for number in numbers if number not in missing}
                continue
            if rows and all("epoch" in row for row in rows):
                epochs = state.trials[numbers[0]].rung_epochs if source == rung_stage().name else None
                tuned = stage.name == model_stage().name
                yield Curve(tuple(numbers), stage.name, _columns(rows), epochs[1] if epochs else 0, tuned)
    if missing:
        told = sorted(missing)
        trial = (
            f"trial {told[0]}"
            if len(told) == 1
            else f"{len(told)} of {len(drawn)} trials ({listing([str(number) for number in told])})"
        )
        progress.warn(f"learning curves of {trial} are not in the report: {missing[told[0]]}")


def _columns(rows: Sequence[dict[str, float]]) -> dict[str, list[float | None]]:
    """The values that every epoch has, and those on validation images, None where none was measured."""
    names = dict.fromkeys(name for row in rows for name in row)
    kept = [name for name in names if name.startswith(VALIDATION) or all(name in row for row in rows)]
    return {name: [row.get(name) for row in rows] for name in kept}
