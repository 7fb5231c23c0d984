"""Optuna's Gaussian process as a sampler; a file of its own, since only this one imports torch."""

import warnings

from optuna.samplers import BaseSampler, GPSampler


def gaussian_sampler(seed: int, startup: int) -> BaseSampler:
    """A sampler by expected hypervolume improvement under Gaussian processes.

    Args:
        seed: below 2**32.
        startup: trials drawn at random before.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls it experimental
        return GPSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)
