"""Optuna's Gaussian process as a sampler; a file of its own, since only this one imports torch.

It calculates on one thread: its many small steps take eight times the CPU on two threads, and the sum of a reduction,
so the proposal, would depend on how many cores the driver's machine has.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, GPSampler
from optuna.study import Study
from optuna.trial import FrozenTrial
from threadpoolctl import threadpool_limits


class OneThreadGPSampler(GPSampler):
    """Optuna's sampler on one thread."""

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """As Optuna's."""
        with _one_thread(), np.errstate(invalid="ignore"):  # 0 / 0 where one point is best by far, which it handles
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


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch, NumPy and SciPy calculate on one thread; afterwards on as many as before."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(threads)
