"""What people see of a search: progress, tables, MLflow."""
