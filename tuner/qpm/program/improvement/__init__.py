"""Improvement heuristics: they start from the incumbent, or from scratch, and propose new incumbents."""
