"""qpm-tuner: search the accuracy-interpretability trade-off of DINO-QPM classifiers."""

__version__ = "0.1.0"
