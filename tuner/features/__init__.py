"""Frozen backbones and the feature banks they fill: from images to tokens, once."""
