"""Retries whole operations on S3 and explains the last failure.

Retries happen at two levels. botocore retries single requests (including parts of large files) for seconds; `Calls`
retries whole operations, so that a search survives a restart of its store and truncated responses.
"""

import math
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from s3transfer.exceptions import RetriesExceededError

from tuner.base.s3.failures import NotS3Error, is_answer, is_bare, is_transient, status_of
from tuner.base.s3.words import explain
from tuner.errors import TunerError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Result = TypeVar("Result")

PAUSES_S = (1.0, 2.0, 4.0, 8.0, *(10.0,) * 7)
"""Delays between attempts in seconds, with jitter of up to half: a minute in total, each far below a lease's TTL."""

PATIENCE_S = 120.0
"""No further attempt after this many seconds."""

FAILURES = (BotoCoreError, ClientError, Boto3Error, RetriesExceededError, ResponseParserError, NotS3Error, ValueError)


class Calls:
    """Operations on one bucket.

    Args:
        bucket: its name.
        rights: what must be permitted there, such as `get and list`, for the message of a refusal.
        reached: whether the server is known to have answered before. If so, no answer means an outage and operations
            are retried; otherwise the address is probably wrong, and they get one attempt of a few seconds.
    """

    def __init__(self, bucket: str, rights: str, *, reached: bool = False) -> None:
        self.bucket, self.rights, self.reached = bucket, rights, reached

    def make(self, what: str, request: Callable[[], Result], client: Callable[[], "S3Client"]) -> Result:
        """Make a request, retry transient failures, and explain the last one.

        The error is raised outside the handler, so that it is not chained to a botocore exception with signed headers.

        Args:
            what: the attempted action, with key and address.
            request: the operation.
            client: the client with which a refusal without a body is asked for its cause.

        Raises:
            StoreError: the request failed.
        """
        deadline_s = time.monotonic() + PATIENCE_S
        for pause_s in (*PAUSES_S, math.inf):
            try:
                result = request()
            except TunerError:  # a UsageError is a ValueError, too
                raise
            except FAILURES as error:
                failure = error
            else:
                self.reached = True
                return result
            self.reached |= is_answer(failure)
            hopeless = not self.reached or not is_transient(failure)
            if hopeless or time.monotonic() + pause_s > deadline_s:
                break
            time.sleep(pause_s * random.uniform(0.5, 1.0))
        raise explain(self._spoken(failure, client), what, self.bucket, self.rights)

    def _spoken(self, failure: Exception, client: Callable[[], "S3Client"]) -> Exception:
        """The failure with its cause: a refused HEAD has no error body, so list the bucket to get one."""
        if is_bare(failure):
            try:
                client().list_objects_v2(Bucket=self.bucket, MaxKeys=1)
            except ClientError as error:
                return error if status_of(error) in (400, 403) else failure
            except FAILURES:
                return failure
        return failure
