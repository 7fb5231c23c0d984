"""Which trial comes next: Optuna's sampler, and how Ray Tune asks it."""
