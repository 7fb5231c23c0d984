"""Services for one machine (Ray head, MLflow server, S3 server), and manifests for larger clusters."""
