"""The learning curves of the front's members, for the report."""

from collections.abc import Iterator, Sequence

from tuner.base.progress import Progress
from tuner.errors import TunerError
from tuner.report.analysis_views import Curve
from tuner.search.record.home import SearchHome
from tuner.search.record.restoration import SearchState
from tuner.search.record.values import read_curves
from tuner.search.stages import trained

MOST = 12  # trials whose curves are drawn; more cannot be told apart


def learning_curves(home: SearchHome, state: SearchState, trials: Sequence[int], progress: Progress) -> Iterator[Curve]:
    """The curves of the first few of these trials, each run once; one that cannot be read is warned about."""
    for stage in trained():
        users: dict[str, list[int]] = {}
        for number in trials[:MOST]:
            if (key := state.trials[number].stage_key(stage.name)) is not None:
                users.setdefault(key, []).append(number)
        for key, numbers in users.items():
            try:
                rows = read_curves(home.artifacts, stage.name, key)
            except TunerError as error:
                progress.warn(f"no learning curve of trial {numbers[0]} in the report: {error.what}")
                continue
            if rows and all("epoch" in row for row in rows):
                shared = set.intersection(*(set(row) for row in rows))
                columns = {name: [row[name] for row in rows] for name in rows[0] if name in shared}
                yield Curve(tuple(numbers), stage.name, columns)
