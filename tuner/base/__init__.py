"""Shared utilities (files, locks, text, progress) that depend on no other package of the project."""
