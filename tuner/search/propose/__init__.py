"""Proposals of trials: Optuna's sampler, and its interface to Ray Tune."""
