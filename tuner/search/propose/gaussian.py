"""Optuna's Gaussian process as a sampler; a file of its own, since only this one imports torch.

It calculates on one thread: its many small steps take eight times the CPU on two threads, and the sum of a reduction,
so the proposal, would depend on how many cores the driver's machine has.
"""

import warnings
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from tuner.base.one_thread import one_thread


class OneThreadGPSampler(GPSampler):
    """Optuna's sampler on one thread."""

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As Optuna's."""
        with one_thread(), np.errstate(invalid="ignore"):  # 0 / 0 where one point is best by far, which it handles
            found: dict[str, Any] = super().sample_relative(study, trial, search_space)
            return found


def gaussian_sampler(seed: int, startup: int) -> BaseSampler:
    """A sampler by expected hypervolume improvement under Gaussian processes.

    Args:
        seed: below 2**32.
        startup: trials drawn at random before.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls it experimental
        return OneThreadGPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)
