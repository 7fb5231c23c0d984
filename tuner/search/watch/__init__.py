"""Monitoring of a search: live progress, tables, status, and the mirror in MLflow."""
