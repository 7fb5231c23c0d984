"""Runs the three stages as a search does: dense training, program, fine-tuning.

What small data need is decided here: how many features `auto` is, and that no batch holds one token alone.
"""

import logging
import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from tuner.errors import InfeasibleError
from tuner.estimator.errors import InputError, named_as_parameters
from tuner.estimator.parameters import PUBLISHED_FEATURES, StageSettings, parameter_names
from tuner.features.samples import Samples
from tuner.qpm import Assignment, QpmModel, assign, dense_features, finetune, train_dense
from tuner.qpm.held_out import trained_images

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Trained:
    """What the stages gave.

    Attributes:
        model: the fine-tuned model.
        assignment: the program's answer.
        seconds: wall time of each stage.
        dense_curves: one row per epoch of the dense training.
    """

    model: QpmModel
    assignment: Assignment
    seconds: dict[str, float]
    dense_curves: list[dict[str, float]]

    def report(self) -> dict[str, Any]:
        """Seconds of each stage, how the program ended, and the last epoch of each training; JSON."""
        names = ("objective", "bound", "gap", "status", "n_candidates", "n_dead")
        program = {name: self.assignment.info[name] for name in names if name in self.assignment.info}
        last = {"dense": self.dense_curves[-1], "finetune": self.model.curves[-1]}
        return {"seconds": self.seconds, "program": program, "last_epoch": last}


def train(samples: Samples, settings: StageSettings, *, seed: int, device: str) -> Trained:
    """Run dense training, program and fine-tuning.

    Args:
        samples: the training images.
        settings: of the stages.
        seed: of all stages, as a search's recipe has it.
        device: `auto`, `cpu`, `cuda`, `cuda:1` ...

    Raises:
        InputError: no assignment of these sizes exists for the features of the dense model.
        DivergedError: a loss became NaN or infinite.
        UsageError: the pooling asks for a CLS token that is not there, a residual for another width, or a class has too
            few images to hold any out of the dense training.
    """
    with named_as_parameters(parameter_names()):
        return _train(samples, settings, seed=seed, device=device)


def _train(samples: Samples, settings: StageSettings, *, seed: int, device: str) -> Trained:
    clock = _Clock()
    trained = trained_images(samples, settings.dense.held_out, seed)
    config = replace(settings.dense, batch_size=batch_size(samples, settings.dense.batch_size, int(trained.sum())))
    dense = train_dense(samples, settings.adapter, config, seed=seed, device=device)
    features = dense_features(dense, samples, trained=trained, device=device)
    clock.lap("dense")
    program = settings.program
    if settings.auto_features:
        rests_on = features if program.on == "train" else features.only(~features.trained)
        program = replace(program, n_features=_enough(len(rests_on.live()), program.features_per_class))
    try:
        assignment = assign(features, program, seed=seed)
    except InfeasibleError as error:
        raise InputError(error.what, error.expected, error.todo) from error
    clock.lap("assign")
    if assignment.stopped_by_clock:
        warnings.warn(
            cut_short(program.deadline_s, assignment.info["gap"]),
            ConvergenceWarning,
            stacklevel=4,
        )
    tuning = replace(settings.finetune, batch_size=batch_size(samples, settings.finetune.batch_size))
    model = finetune(dense, assignment, samples, tuning, seed=seed, device=device)
    clock.lap("finetune")
    return Trained(model, assignment, clock.seconds, dense.curves)


def cut_short(deadline_s: float, gap: float | None) -> str:
    """The warning for a program that its deadline stopped; the gap is None if there was no bound yet."""
    proof = "before it had a bound" if gap is None else f"with a gap of {gap:.2%}"
    return (
        f"the program stopped at deadline_s={deadline_s:g} {proof}; another fit may differ. "
        "Raise deadline_s, or lower effort to stop after the same work every time"
    )


def _enough(live: int, features_per_class: int) -> int:
    """The number of features that `auto` is.

    Raises:
        InputError: fewer features vary than a class needs.
    """
    if live < features_per_class:
        raise InputError(
            f"{live} features of the dense model vary over the training images, and features_per_class is "
            f"{features_per_class}",
            "at least features_per_class features that vary",
            "check that the columns of X vary, and scale them; or lower features_per_class, or raise width",
        )
    return min(PUBLISHED_FEATURES, live)


def batch_size(samples: Samples, asked: int, n_trained: int | None = None) -> int:
    """The smallest batch size, from `asked` up, that leaves no batch of one token, which batch norm cannot take.

    Only pooled features, one token per image, can need another than the one asked for.

    Args:
        samples: the images.
        asked: images in a batch.
        n_trained: how many of them are trained on; None: all.
    """
    n = len(samples) if n_trained is None else n_trained
    if samples.patches.shape[1] > 1:
        return asked
    return next(size for size in range(asked, max(asked, n) + 1) if n % size != 1)


class _Clock:
    """Seconds between laps, which are logged too."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage], self._since = now - self._since, now
        _LOG.info("%s took %.1f s", stage, self.seconds[stage])
