"""The learning curves of the front's members, for the report."""

from collections.abc import Iterator, Sequence

from tuner.base.progress import Progress
from tuner.errors import TunerError
from tuner.front.words import listing
from tuner.report.analysis_views import Curve
from tuner.search.record.home import SearchHome
from tuner.search.record.restoration import SearchState
from tuner.search.record.values import read_curves
from tuner.search.stages import trained

MOST = 12  # trials whose curves are drawn; more cannot be told apart


def learning_curves(home: SearchHome, state: SearchState, trials: Sequence[int], progress: Progress) -> Iterator[Curve]:
    """The curves of the first few of these trials, each run once; those that cannot be read are told in one line."""
    missing: dict[int, str] = {}
    for stage in trained():
        users: dict[str, list[int]] = {}
        for number in trials[:MOST]:
            if (key := state.trials[number].stage_key(stage.name)) is not None:
                users.setdefault(key, []).append(number)
        for key, numbers in users.items():
            try:
                rows = read_curves(home.artifacts, stage.name, key)
            except TunerError as error:
                missing |= {number: error.what for number in numbers if number not in missing}
                continue
            if rows and all("epoch" in row for row in rows):
                shared = set.intersection(*(set(row) for row in rows))
                columns = {name: [row[name] for row in rows] for name in rows[0] if name in shared}
                yield Curve(tuple(numbers), stage.name, columns)
    if missing:
        told, drawn = sorted(missing), len(trials[:MOST])
        trial = (
            f"trial {told[0]}"
            if len(told) == 1
            else f"{len(told)} of {drawn} trials ({listing([str(number) for number in told])})"
        )
        progress.warn(f"learning curves of {trial} are not in the report: {missing[told[0]]}")
