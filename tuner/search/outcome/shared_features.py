"""Which features two models share: those of the same dense model are the same features, and have the same numbers."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tuner.search.record.home import SearchHome
from tuner.search.record.inputs import load_input
from tuner.search.record.state import TrialRecord
from tuner.search.stages import program_stage
from tuner.store import MissingKeyError

if TYPE_CHECKING:
    from tuner.qpm.assignment import Assignment

DENSE = "dense"


@dataclass(frozen=True)
class SharedFeatures:
    """The features of two models whose dense model is the same.

    Attributes:
        features: number of features of each model.
        shared: features that both have.
        classes: number of classes.
        equal_classes: classes that both models make of the same features.
        overlap: mean over the classes of the features that both use for it, as a share of those that either uses.
    """

    features: tuple[int, int]
    shared: int
    classes: int
    equal_classes: int
    overlap: float

    def sentence(self) -> str:
        """As words."""
        (one, two), noun = self.features, "feature" if self.shared == 1 else "features"
        return (
            f"they share {self.shared} {noun} of one dense model, of {one} and {two}; {self.equal_classes} of "
            f"{self.classes} classes are made of the same features; of the features that either model uses for a "
            f"class, both use {100 * self.overlap:.0f} % on average"
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON documents hold it."""
        return asdict(self)


def shared_features(
    homes: tuple[SearchHome, SearchHome], trials: tuple[TrialRecord, TrialRecord]
) -> SharedFeatures | str:
    """What two complete trials share, or why that cannot be told.

    Raises:
        TunerError: an artifact is damaged, or the store cannot be read.
    """
    dense = [trial.stage_key(DENSE) for trial in trials]
    if dense[0] is None or dense[0] != dense[1]:
        return "their features come from two dense models, so they cannot be matched by number"
    from tuner.qpm.assignment import Assignment  # imports the solver

    found = []
    for home, trial in zip(homes, trials, strict=True):
        stage = program_stage()
        try:
            found.append(load_input(home.artifacts, stage.kind, trial.stage_key(stage.name) or "none", Assignment.load))
        except MissingKeyError:
            return f"the assignment of trial {trial.number} is no longer in the store, so their features are unknown"
    return of_assignments(*found)


def of_assignments(one: "Assignment", two: "Assignment") -> SharedFeatures:
    """What two assignments of the same dense model share."""
    rows = [
        [{int(a.features[j]) for j in row.nonzero()[0]} for row in a.matrix] for a in (one, two)
    ]  # per model, per class: the features
    pairs = list(zip(*rows, strict=True))
    overlaps = [len(a & b) / len(a | b) for a, b in pairs if a | b]
    return SharedFeatures(
        (len(one.features), len(two.features)),
        len(set(one.features.tolist()) & set(two.features.tolist())),
        len(pairs),
        sum(a == b for a, b in pairs),
        sum(overlaps) / len(overlaps) if overlaps else 0.0,
    )
