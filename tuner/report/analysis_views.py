"""What is drawn of a search besides its trials: importances, learning curves, a trial's stages, settings and origin.

Plain dataclasses, as those in `views.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Share(NamedTuple):
    """A parameter's part of the importance of all of them, 0 to 1, and its deviation over resampled trials."""

    share: float
    deviation: float


@dataclass(frozen=True)
class Importance:
    """How much of an objective's variance each parameter explains.

    Args:
        objective: its name.
        shares: parameter -> its part, the largest first; they add up to 1.
        trials: the number of complete trials it rests on, drawn from all of them if there are very many.
        known: the number of complete trials.
    """

    objective: str
    shares: Mapping[str, Share]
    trials: int
    known: int


@dataclass(frozen=True)
class Curve:
    """The learning curve of one run of a training stage.

    Args:
        trials: the numbers of the trials that use it, at least one; several share a stage that they all need.
        stage: dense or finetune.
        columns: "epoch" and the values, each of the same length; those on validation images are named `val_...`, and
            None where none was measured.
        of: the epochs of the whole training, of which early stopping has left these; 0: they are all.
        tuned: whether it is of the model that the trial is measured by.
    """

    trials: tuple[int, ...]
    stage: str
    columns: Mapping[str, Sequence[float | None]]
    of: int = 0
    tuned: bool = False


@dataclass(frozen=True)
class Span:
    """A stage within a trial.

    Args:
        stage: its name.
        ran_s: how long it ran for this trial, seconds; 0 where its result was reused.
        waited_s: how long the trial waited for it besides: for a worker, or for the run of another trial; 0 where an
            earlier version did not tell the two apart, and `ran_s` is both.
        reused: whether its result was there already.
    """

    stage: str
    ran_s: float
    waited_s: float = 0.0
    reused: bool = False


@dataclass(frozen=True)
class Setting:
    """A setting of the recipe: its dotted name, its value, and the value it has where nobody sets it."""

    name: str
    value: Any
    default: Any


@dataclass(frozen=True)
class Origin:
    """Where the numbers come from.

    Args:
        command: what runs the same search again.
        facts: name -> text: store, commit, machine, versions.
        changed: the settings that differ from their defaults.
        same: the others.
    """

    command: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    changed: Sequence[Setting] = ()
    same: Sequence[Setting] = ()
