"""What S3 failures mean: which may pass, and what to tell the user about the others, without any secret."""

import os
from urllib.parse import urlsplit

from botocore.exceptions import (
    ClientError,
    ConnectionError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
)
from s3transfer.exceptions import RetriesExceededError

from tuner.store.store import NotSupported, StoreFailure

_TRANSIENT_CODES = {
    "ConditionalRequestConflict",
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
}

_CREDENTIAL_CODES = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "InvalidToken",
    "ExpiredToken",
    "AuthFailure",
}

_REGION_CODES = {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}


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
    transient = ConnectionError | HTTPClientError | IncompleteReadError | RetriesExceededError
    return isinstance(error, transient) and not isinstance(error, SSLError)


def explain(error: Exception, action: str, bucket: str) -> StoreFailure:
    """The error in three parts.

    Only codes, the address and names of variables enter the text: server messages and botocore's own may
    quote keys and signatures.

    Args:
        error: what botocore raised.
        action: what was tried, with key and address.
        bucket: its name.
    """
    if isinstance(error, ClientError):
        return _explain_answer(error, action, bucket)
    endpoint = _endpoint()
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return StoreFailure(
            f"cannot {action}: no S3 credentials",
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or another source that boto3 knows",
            "set both variables on this machine (on every node of a cluster)",
        )
    if isinstance(error, SSLError):
        return StoreFailure(
            f"cannot {action}: no secure connection to {endpoint}",
            "a server with a certificate that this machine trusts",
            "check http or https in AWS_ENDPOINT_URL, or name the authority in AWS_CA_BUNDLE",
        )
    if isinstance(error, ReadTimeoutError | ResponseStreamingError | IncompleteReadError | RetriesExceededError):
        return StoreFailure(
            f"cannot {action}: {endpoint} did not answer completely, again and again",
            "an S3 server that answers within 30 s",
            "check the server and the network, then run the same command again",
        )
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError | ConnectionError | HTTPClientError):
        return StoreFailure(
            f"cannot {action}: no connection to {endpoint}",
            "an S3 server at this address",
            "check AWS_ENDPOINT_URL, the server and the network, then run the same command again",
        )
    return StoreFailure(
        f"cannot {action}: {type(error).__name__} while talking to {endpoint}",
        "valid S3 settings",
        "check AWS_ENDPOINT_URL (http://host:port), AWS_PROFILE, AWS_REGION and the bucket's name",
    )


def _explain_answer(error: ClientError, action: str, bucket: str) -> StoreFailure:
    status, code = status_of(error), code_of(error)
    what = f"cannot {action}: {_endpoint()} answered {status} {code}"
    if code in _CREDENTIAL_CODES or status == 401:
        return StoreFailure(
            what,
            "the access key and secret of a user of this server",
            "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
        )
    if status == 403:
        return StoreFailure(
            what,
            f"a user who may get, put, list and delete objects in {bucket}",
            "check the credentials (a wrong secret looks the same) and the user's policy",
        )
    if status == 404:
        return StoreFailure(
            what, f"a bucket named {bucket}", "create the bucket, or check its name and AWS_ENDPOINT_URL"
        )
    if code in _REGION_CODES or status in (301, 307):
        return StoreFailure(what, "the region of the bucket", "set AWS_REGION to it")
    if status == 501 or code == "NotImplemented":
        return NotSupported(what, "a server that knows this request", "use another S3 server")
    return StoreFailure(what, "an answer of 200", "check the server, then run the same command again")


def _endpoint() -> str:
    """The server's address without user, password, path and query."""
    url = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if not url:
        return "Amazon S3"
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the S3 server"
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.hostname else "the S3 server"
