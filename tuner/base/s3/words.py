"""Explains S3 failures to the user: the cause, and the variable or server to check, without secrets.

The text contains only error codes, the address and names of variables: messages of the server and of botocore may
quote keys and signatures.
"""

import os
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import (
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError
from s3transfer.exceptions import RetriesExceededError

from tuner.base.s3.errors import NotSupportedError, RefusedError, StoreError
from tuner.base.s3.failures import NotS3Error, code_of, status_of

_KEYS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
_ELSEWHERE = "check AWS_ENDPOINT_URL: its host, its port, and http or https"

# error code -> what is expected, what to do; servers spell some codes in two ways
_TOKEN = ("credentials that are still valid", "get new ones, and set all three of them: AWS_SESSION_TOKEN too")
_WRONG_KEY = ("an access key that this server knows", f"{_KEYS}; unset AWS_SESSION_TOKEN for a permanent key")
_WRONG_SECRET = (
    "the secret that belongs to the access key",
    "check AWS_SECRET_ACCESS_KEY; the signature was made with another secret",
)
_REGION = ("the region of the bucket", "set AWS_REGION to it, or check AWS_ENDPOINT_URL")
_CLOCK = ("a clock that agrees with the server's within 15 minutes", "set this machine's clock by NTP")
_CLOCK_S = 900.0  # clock skew that S3 tolerates
_OTHER = ("an answer of 200", "check the server, then run the same command again")
_FULL = ("free space", "free space in the bucket, or raise its quota")
_BY_CODE = {
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"), _TOKEN),
    **dict.fromkeys(("InvalidToken", "InvalidTokenId", "InvalidClientTokenId"), _TOKEN),
    **dict.fromkeys(("InvalidAccessKeyId", "AuthFailure", "NotSignedUp"), _WRONG_KEY),
    "SignatureDoesNotMatch": _WRONG_SECRET,
    **dict.fromkeys(("AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect"), _REGION),
    **dict.fromkeys(("IllegalLocationConstraintException", "InvalidRegion"), _REGION),
    **dict.fromkeys(("RequestTimeTooSkewed", "InvalidSignatureTime"), _CLOCK),
    **dict.fromkeys(("QuotaExceeded", "XMinioStorageFull", "InsufficientStorage"), _FULL),
}


_BY_STATUS = {
    400: (
        "valid credentials and the region of the bucket; an expired session token looks like this too",
        f"{_KEYS}, then AWS_REGION, and http or https in AWS_ENDPOINT_URL",
    ),
    401: ("an access key and secret that this server knows", _KEYS),
    403: (
        "a user with permission to {rights} objects in {bucket}",
        "check the credentials (a wrong secret or a wrong clock may look the same) and the user's policy",
    ),
    404: ("a bucket named {bucket}", "create the bucket, or check its name and AWS_ENDPOINT_URL"),
    405: ("a server that supports this request", f"use another S3 server, or {_ELSEWHERE}"),
    501: ("a server that supports this request", f"use another S3 server, or {_ELSEWHERE}"),
}

# exceptions without a response from S3, first match wins: what happened, what is expected, what to do
_NO_ANSWER: tuple[tuple[tuple[type[Exception], ...], str, str, str], ...] = (
    (
        (NoCredentialsError, PartialCredentialsError),
        "no S3 credentials",
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or another source that boto3 supports",
        "set both variables on this machine (on every node of a cluster)",
    ),
    ((ProfileNotFound,), "there is no such profile", "a profile in ~/.aws/config", "check AWS_PROFILE, or unset it"),
    (
        (CredentialRetrievalError, TokenRetrievalError, SSOError),
        "the credentials of the profile cannot be fetched",
        "a profile that is logged in",
        "log in again (aws sso login), or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
    ),
    (
        (NotS3Error, ResponseParserError),
        "{server} answered with something that is not S3, such as a web page",
        "an S3 server at AWS_ENDPOINT_URL",
        f"{_ELSEWHERE}; a web console has another address than the S3 server",
    ),
    (
        (SSLError,),
        "no secure connection to {server}{cause}",
        "a server that speaks TLS if the address begins with https, with a certificate that this machine trusts",
        "check http or https in AWS_ENDPOINT_URL, or set AWS_CA_BUNDLE to the file of the certificate authority",
    ),
    (
        (ProxyConnectionError,),
        "the proxy for {server} does not answer",
        "a reachable proxy, or none",
        "check HTTPS_PROXY and HTTP_PROXY, or name the server's host in NO_PROXY",
    ),
    (
        (ReadTimeoutError, ResponseStreamingError, IncompleteReadError, RetriesExceededError),
        "{server} did not answer, or not completely, after several attempts",
        "an S3 server that answers within 30 s",
        "check the server and the network, then run the same command again",
    ),
    (
        (ConnectionError, HTTPClientError),
        "no connection to {server}{cause}",
        "an S3 server at this address",
        "check AWS_ENDPOINT_URL, the server and the network, then run the same command again",
    ),
    (
        (Exception,),
        "{kind} while talking to {server}",
        "valid S3 settings",
        "check AWS_ENDPOINT_URL (http://host:port), AWS_PROFILE, AWS_REGION, the bucket's name, and spaces in the keys",
    ),
)

# words in botocore's message on a failed connection -> the cause
_CAUSES = (
    (("invalid header",), " (AWS_ACCESS_KEY_ID or AWS_SESSION_TOKEN contains a space or a line break)"),
    (("expired", "not yet valid"), " (its certificate is not valid at this machine's time; is the clock right?)"),
    (("certificate",), " (its certificate is not trusted)"),
    (("wrong_version_number", "wrong version number", "record layer"), " (it does not speak TLS)"),
    (("nameresolution", "getaddrinfo", "name or service", "nodename"), " (its host name cannot be resolved)"),
    (("refused",), " (connection refused: no server is listening there)"),
    (("timed out", "timeout"), " (no answer in time)"),
    (("closed", "reset", "aborted", "badstatusline", "protocol"), " (it closed the connection: is it https only?)"),
)


def explain(error: Exception, action: str, bucket: str, rights: str) -> StoreError:
    """The error in three parts.

    Args:
        error: what botocore raised.
        action: the attempted action, with key and address.
        bucket: name of the bucket.
        rights: what must be permitted there, such as `get and list`.
    """
    if isinstance(error, ClientError):
        return _answer(error, f"cannot {action}: {_server()} answered", bucket, rights)
    found, expected, todo = next(row for kinds, *row in _NO_ANSWER if isinstance(error, kinds))
    found = found.format(server=_server(), cause=_cause(error), kind=type(error).__name__)
    return StoreError(f"cannot {action}: {found}", expected, todo)


def _answer(error: ClientError, start: str, bucket: str, rights: str) -> StoreError:
    """The error for a response other than success."""
    status, code = status_of(error), code_of(error)
    code = code if re.fullmatch(r"[A-Za-z0-9.]{1,60}", code) else str(status)
    what = f"{start} {status}" if code == str(status) else f"{start} {status} {code}"
    headers = error.response["ResponseMetadata"].get("HTTPHeaders", {})
    region = str(headers.get("x-amz-bucket-region") or error.response["Error"].get("Region", ""))
    off_s = _off_s(headers, error.response["Error"])
    if _BY_CODE.get(code) is _CLOCK or (status in (400, 401, 403) and abs(off_s) > _CLOCK_S):
        far = f"; this machine's clock is {_far(off_s)} the server's" if abs(off_s) > 1 else ""
        return RefusedError(f"{what}{far}", *_CLOCK)
    elsewhere = 300 <= status <= 400 or _BY_CODE.get(code) is _REGION
    if elsewhere and re.fullmatch(r"[a-z0-9-]{1,40}", region):
        return StoreError(what, f"the region of the bucket, {region}", f"set AWS_REGION={region}")
    if 300 <= status < 400 and "location" in headers:
        what += f", a redirect to {_host(headers['location'])}"
        expected = "an S3 server that does not redirect, in the region of the bucket"
        return StoreError(what, expected, f"{_ELSEWHERE}; on Amazon, set AWS_REGION")
    expected, todo = _BY_CODE.get(code) or _BY_STATUS.get(status) or (_REGION if 300 <= status < 400 else _OTHER)
    refused = RefusedError if 400 <= status < 500 and status != 429 else StoreError
    kind = NotSupportedError if status == 501 or code == "NotImplemented" else refused
    return kind(what, expected.format(bucket=bucket, rights=rights), todo)


def _off_s(headers: Mapping[str, str], said: Mapping[str, Any]) -> float:
    """Seconds by which this machine's clock is ahead of the server's; 0 if the response does not tell."""
    for text, read in ((said.get("ServerTime"), datetime.fromisoformat), (headers.get("date"), parsedate_to_datetime)):
        try:
            moment = read(str(text))
        except ValueError:
            continue
        return time.time() - (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return 0.0


def _far(off_s: float) -> str:
    """The offset in words: "3.0 h behind"."""
    size = abs(off_s)
    days, hours, minutes = size / 86400, size / 3600, size / 60
    length = f"{days:.0f} days" if days > 3 else f"{hours:.1f} h" if hours > 2 else f"{minutes:.0f} min"
    return f"{length} {'ahead of' if off_s > 0 else 'behind'}"


def _cause(error: Exception) -> str:
    """Why the connection failed, if known."""
    text = f"{error} {getattr(error, 'kwargs', {}).get('error')} {type(error).__name__}".lower()
    return next((cause for words, cause in _CAUSES if any(word in text for word in words)), "")


def _server() -> str:
    """The server's address without user, password, path and query."""
    url = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    return _host(url) if url else "Amazon S3"


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "the S3 server"
    return f"{parts.scheme}://{parts.hostname}{port}" if parts.hostname else "the S3 server"
