"""The one door from data sets to buckets. What it opens knows boto3, and is imported when an image lies in a bucket."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuner.base.s3.objects import Objects


def objects_of(bucket: str) -> "Objects":
    """The objects of a bucket as this process reaches them."""
    from tuner.base.s3.objects import objects_of as opened

    return opened(bucket)
