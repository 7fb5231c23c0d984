"""Improvement heuristics: they start from the incumbent, or from nothing, and offer what they find."""
