"""Selections and rows of a problem, from the problem alone: greedy insertion, tabu search, distinct rows."""
