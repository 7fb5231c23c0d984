"""qpm-tuner: search the accuracy-interpretability trade-off of DINO-QPM classifiers."""

from tuner.renamed import understand_old_names

__version__ = "0.1.0"

understand_old_names()
