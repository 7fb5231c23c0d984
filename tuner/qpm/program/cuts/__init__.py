"""Inequalities that every selection satisfies."""
