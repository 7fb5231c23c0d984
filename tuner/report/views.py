"""The input of a report: plain dataclasses, and numpy arrays for images and maps.

`report.render_report` uses nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuner.errors import UsageError
from tuner.front.confirmation import ErrorBars
from tuner.front.pareto import Objective, Point
from tuner.qpm.program_info import ProgramInfo
from tuner.report.analysis_views import Curve, Importance, Origin, Span
from tuner.report.tiles import Map, Pixels


@dataclass(frozen=True)
class TrialRow:
    """One trial, with any outcome.

    Args:
        trial: its number.
        outcome: complete, stopped, skipped, pruned, infeasible, failed or running; others are shown as they are.
        params: its parameters, as in the recipe's space.
        values: metric name -> value, of the validation split; "test/accuracy" for another split.
        duration_s: wall time, seconds; None if unknown.
        cause: one line, why it did not complete.
        bars: what is known of a member of the front beyond the search's own run; its means are in `values` already.
        program: how its program ended, as the ledger has it (see `proof.py`); None if unknown.
        ended_s: seconds of search time at which it ended; None while it is open, or if unknown.
        spans: its stages, in their order.
        paused: seconds of search time at which it paused at the rung, and its number of stages by then; None where it
            ended there, or did not pause.
        rung: metric name -> value at the rung of early stopping; none if it had no rung.
        rung_epoch: the epoch of the rung; 0 if it had none.
    """

    trial: int
    outcome: str
    params: dict[str, Any]
    values: dict[str, float] = field(default_factory=dict)
    duration_s: float | None = None
    cause: str = ""
    bars: ErrorBars = field(default_factory=ErrorBars)
    program: ProgramInfo | None = None
    ended_s: float | None = None
    spans: Sequence[Span] = ()
    paused: tuple[float, int] | None = None
    rung: Mapping[str, float] = field(default_factory=dict)
    rung_epoch: int = 0

    def point(self) -> Point:
        """The trial as the front sees it."""
        errors = {name: error for name, error in self.bars.error.items() if name in self.values}
        return Point(self.trial, self.params, self.values, errors=errors)


@dataclass(frozen=True)
class StageUse:
    """How often a stage ran, and how often its artifact was reused.

    Args:
        name: dense, assign, finetune or evaluate.
        ran: number of runs.
        reused: number of times an existing artifact served.
        run_s: wall time of the runs, seconds.
        saved_s: wall time the reuse saved, seconds.
        cost: what the runs have cost, such as "1.4 CPU h, 2.10 USD"; empty if unknown.
    """

    name: str
    ran: int
    reused: int
    run_s: float
    saved_s: float
    cost: str = ""


@dataclass(frozen=True)
class BaselineRow:
    """What the picked model is compared with: linear probe, dense model, random assignment.

    Args:
        name: of the system or the member.
        values: measured on the test split; means, of several runs.
        note: what it is.
        deviations: standard deviations over several runs, by metric.
        n_runs: how many.
    """

    name: str
    values: Mapping[str, float]
    note: str = ""
    deviations: Mapping[str, float] = field(default_factory=dict)
    n_runs: int = 1


@dataclass(frozen=True)
class FeatureView:
    """One feature of one class, on that class's example image.

    Args:
        index: of the feature among the selected ones; the same number is the same feature everywhere.
        map: (grid_h, grid_w) activation, at least 0.
        contribution: what it adds to the class's logit; a negative one speaks against the class.
        label: a name in words, if it has one.
        full: the map's value that is shown at full strength, the largest on the training images; None if it
            is unknown: then it is the largest among the pictures of the page.
    """

    index: int
    map: Map
    contribution: float
    label: str = ""
    full: float | None = None

    @property
    def strongest(self) -> float:
        """The map's largest value, at least 0."""
        return max(0.0, float(self.map.max(initial=0.0)))


@dataclass(frozen=True)
class ImageView:
    """The origin of a shown image.

    Args:
        path: relative to the data set's folder.
        split: the official split it is of, train or test.
        label: its true class.
        predicted: the class that the model predicts.
        among: the number of images of the class from which it was chosen for its largest margin.
    """

    path: str
    split: str
    label: str
    predicted: str
    among: int = 1


@dataclass(frozen=True)
class ClassView:
    """A class with an image (h, w, 3), the class's features on it, and whose image it is, where that is known."""

    name: str
    image: Pixels
    features: Sequence[FeatureView]
    source: ImageView | None = None

    @property
    def score(self) -> float:
        """The class's logit on the image, which is the sum of the contributions."""
        return float(sum(f.contribution for f in self.features))


@dataclass(frozen=True)
class ComparisonView:
    """Two classes side by side; features with the same index are those they share."""

    left: ClassView
    right: ClassView

    @property
    def shared(self) -> set[int]:
        """The features of both."""
        return {f.index for f in self.left.features} & {f.index for f in self.right.features}


@dataclass(frozen=True)
class ClassAccuracy:
    """How often a model is right on the held-out images of one class.

    Args:
        name: of the class.
        images: their number, at least 1.
        accuracy: percent.
        error: one standard error of it, percentage points.
    """

    name: str
    images: int
    accuracy: float
    error: float


@dataclass(frozen=True)
class PickView:
    """The picked model: why it was chosen, and how it sees some classes.

    Args:
        point: its trial.
        reason: the sentence.
        classes: how it sees them.
        comparison: two of them side by side.
        chosen: whether a user chose it; False: it is what the default rule would take.
        by_class: its accuracy on each class; empty where that is unknown.
        by_class_on: the split of their images.
    """

    point: Point
    reason: str
    classes: Sequence[ClassView] = ()
    comparison: ComparisonView | None = None
    chosen: bool = True
    by_class: Sequence[ClassAccuracy] = ()
    by_class_on: str = ""


@dataclass(frozen=True)
class Report:
    """All contents of the page.

    Args:
        search: the search's name.
        objectives: the axes; one is drawn over the trials, two make a scatter with its staircase, more also parallel
            coordinates.
        rows: all trials.
        ranks: of the complete trials by the values that the search measured, 1 for members; None: by those in the rows.
        hypervolume: (seconds since the start, value) after each completed trial.
        costs: what had been spent by then, such as "CPU hours" -> one number for each value of `hypervolume`.
        stages: in the order in which they run.
        cost: what all stages have cost, confirmation runs included, such as "1.4 CPU h"; empty if unknown.
        pick: the picked model, if one was picked.
        baselines: comparison rows.
        note: a sentence on the protocol, such as which split the objectives are measured on.
        importance: of the parameters, one for each objective; empty where too few trials are complete.
        curves: learning curves of members and of the picked model.
        origin: the command that repeats the search, its settings, versions and machine; None: not told.
        log_parameters: those that are drawn on a logarithmic axis.
        features_page: address of the page of the picked model's features, relative to the report; empty: there is none.
    """

    search: str
    objectives: Sequence[Objective]
    rows: Sequence[TrialRow]
    hypervolume: Sequence[tuple[float, float]] = ()
    costs: Mapping[str, Sequence[float]] = field(default_factory=dict)
    stages: Sequence[StageUse] = ()
    cost: str = ""
    pick: PickView | None = None
    baselines: Sequence[BaselineRow] = ()
    note: str = ""
    ranks: dict[int, int] | None = None
    importance: Sequence[Importance] = ()
    curves: Sequence[Curve] = ()
    origin: Origin | None = None
    log_parameters: frozenset[str] = frozenset()
    features_page: str = ""

    def __post_init__(self) -> None:
        """Refuse a report without objectives."""
        if not self.objectives:
            raise UsageError("the report has no objectives", "at least one", "name one, such as accuracy")
