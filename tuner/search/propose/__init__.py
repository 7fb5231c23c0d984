"""Proposals of trials: samplers by name, and their interface to Ray Tune."""
