"""The Pareto front: which trials are on it, which one to choose, and why; `tuner.report` renders it."""
