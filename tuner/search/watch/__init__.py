"""Following a search: live progress, tables, the status, and the mirror in MLflow."""
