"""Services for one machine: a Ray head, an MLflow server, an S3 server; and descriptions of larger clusters."""
