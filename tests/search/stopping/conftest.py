"""The S3 server for checkpoints that are cleared there too."""

from tests.servers import s3_server, s3_url

__all__ = ["s3_server", "s3_url"]
