"""What kind of failure it was: an answer or silence, one that may pass or one that stays (see `s3_words.py`)."""

from typing import Any

from botocore.exceptions import (
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    ResponseStreamingError,
    SSLError,
)
from s3transfer.exceptions import RetriesExceededError

_TRANSIENT_CODES = {
    "ConditionalRequestConflict",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
}


class NotS3Error(Exception):
    """An answer of success that no S3 server gives: a web page, or one without what each of them sends."""


def status_of(error: ClientError) -> int:
    """The HTTP status of an answer."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def code_of(error: ClientError) -> str:
    """The error code of an answer; answers without a body have their status instead."""
    return error.response["Error"].get("Code", str(status_of(error)))


def is_answer(error: Exception) -> bool:
    """Whether the failure proves that there is an S3 server at the address."""
    return isinstance(error, ClientError | ResponseStreamingError | IncompleteReadError | RetriesExceededError)


def is_transient(error: Exception) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, ClientError):
        status = status_of(error)
        return status in (429, 500, 502, 503, 504) or code_of(error) in _TRANSIENT_CODES
    transient = NotS3Error | ConnectionError | HTTPClientError | IncompleteReadError | RetriesExceededError
    return isinstance(error, transient) and not isinstance(error, SSLError)


def is_bare(error: Exception) -> bool:
    """Whether an answer came without a body, as every answer to HEAD does: its cause is then unknown."""
    return isinstance(error, ClientError) and code_of(error) == str(status_of(error)) in ("400", "403")


def required(answer: Any, name: str) -> Any:
    """A part of an answer that every S3 server sends.

    Raises:
        NotS3Error: it is missing: something else answers at this address.
    """
    if name not in answer:
        raise NotS3Error
    return answer[name]
