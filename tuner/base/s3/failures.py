"""Classifies S3 failures: answered or not, transient or permanent (messages: `words.py`)."""

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
    """A successful response that no S3 server sends: a web page, or one that lacks a mandatory field."""


def status_of(error: ClientError) -> int:
    """The HTTP status of a response."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def code_of(error: ClientError) -> str:
    """The error code of a response; for responses without a body, their status."""
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
    """Whether a response had no body, as every response to HEAD: its cause is then unknown."""
    return isinstance(error, ClientError) and code_of(error) == str(status_of(error)) in ("400", "403")


def required(answer: Any, name: str) -> Any:
    """A field of a response that every S3 server sends.

    Raises:
        NotS3Error: it is missing, so this is not an S3 server.
    """
    if name not in answer:
        raise NotS3Error
    return answer[name]
