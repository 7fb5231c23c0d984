"""The boto3 client of a process: any S3-compatible server, configured by the standard AWS environment variables."""

import os
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from tuner.base.s3.failures import NotS3Error

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONFIG = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": 5},
    max_pool_connections=50,
    tcp_keepalive=True,
    request_checksum_calculation="when_required",  # older servers reject the newer checksums;
    response_checksum_validation="when_required",  # the manifests' SHA-256 covers what matters
)


def connect() -> "S3Client":
    """A new client; it does not survive a fork."""
    session = boto3.session.Session()
    config = CONFIG
    if os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        config = config.merge(Config(s3={"addressing_style": "path"}))
    region = session.region_name or "us-east-1"
    client: S3Client = session.client("s3", region_name=region, config=config)
    client.meta.events.register_first("needs-retry.s3.HeadBucket", _ask_once)
    client.meta.events.register_first("needs-retry.s3", _refuse_page)
    return client


Response = tuple[Any, dict[str, Any]] | None
"""What botocore passes to its retry handlers: the HTTP response and its parsed form."""


def _ask_once(request_dict: dict[str, Any], response: Response, **_: Any) -> None:
    """Keep botocore's region redirector from recursing: its HEAD of the bucket would trigger another one.

    Amazon names the region in a header of every redirect; other servers do not.
    """
    if response is None or response[0] is None or response[0].status_code not in (301, 302, 307):
        return
    told = response[1].get("Error", {}).get("Region") or "x-amz-bucket-region" in response[0].headers
    if not told:
        request_dict["context"].setdefault("s3_redirect", {})["redirected"] = True


def _refuse_page(response: Response, **_: Any) -> None:
    """Recognize a web page: botocore treats a success without S3's XML as a transient server error."""
    if response is None or response[0] is None or response[0].raw.status != 200:
        return
    if response[1]["ResponseMetadata"]["HTTPStatusCode"] == 500:
        start = response[0].content[:200].lstrip().lower()
        if start.startswith((b"<!doctype html", b"<html")) or not start.startswith(b"<"):
            raise NotS3Error
