"""What tests of clusters use: drivers as processes of their own, and an S3 server."""

from tests.drivers import start
from tests.servers import s3_server, s3_url

__all__ = ["s3_server", "s3_url", "start"]
