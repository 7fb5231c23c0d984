"""What an S3 failure means for the user: the cause, and which variable or server to look at, without any secret.

Only codes, the address and names of variables enter the text: server messages and botocore's own may quote keys
and signatures.
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

from tuner.store.errors import NotSupportedError, RefusedError, StoreError
from tuner.store.s3_errors import NotS3Error, code_of, status_of

_KEYS = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
_ELSEWHERE = "check AWS_ENDPOINT_URL: its host, its port, and http or https"

# code of an answer -> what would be right, what to do; S3 and its look-alikes spell some of them in two ways
_TOKEN = ("credentials that are still valid", "get new ones, and set all three of them: AWS_SESSION_TOKEN too")
_WRONG_KEY = ("the access key of a user of this server", f"{_KEYS}; unset AWS_SESSION_TOKEN for a lasting key")
_WRONG_SECRET = (
    "the secret that belongs to the access key",
    "check AWS_SECRET_ACCESS_KEY; it is not what was signed with",
)
_REGION = ("the region of the bucket", "set AWS_REGION to it, or check AWS_ENDPOINT_URL")
_CLOCK = ("a clock that agrees with the server's within 15 minutes", "set this machine's clock by NTP")
_CLOCK_S = 900.0  # how far S3 lets a clock be off
_OTHER = ("an answer of 200", "check the server, then run the same command again")
_FULL = ("room for more", "make room in the bucket, or raise its quota")
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
    401: ("the access key and secret of a user of this server", _KEYS),
    403: (
        "a user who may get, put, list and delete objects in {bucket}",
        "check the credentials (a wrong secret or a wrong clock may look the same) and the user's policy",
    ),
    404: ("a bucket named {bucket}", "create the bucket, or check its name and AWS_ENDPOINT_URL"),
    405: ("a server that knows this request", f"use another S3 server, or {_ELSEWHERE}"),
    501: ("a server that knows this request", f"use another S3 server, or {_ELSEWHERE}"),
}

# what is raised where no answer of S3 came, the first that fits: what was found, what would be right, what to do
_NO_ANSWER: tuple[tuple[tuple[type[Exception], ...], str, str, str], ...] = (
    (
        (NoCredentialsError, PartialCredentialsError),
        "no S3 credentials",
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or another source that boto3 knows",
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
        f"{_ELSEWHERE}; the address of a web console is another one",
    ),
    (
        (SSLError,),
        "no secure connection to {server}{cause}",
        "a server that speaks TLS where the address begins with https, with a certificate that this machine trusts",
        "check http or https in AWS_ENDPOINT_URL, or name the certificate's authority in AWS_CA_BUNDLE",
    ),
    (
        (ProxyConnectionError,),
        "the proxy on the way to {server} does not answer",
        "a proxy that can be reached, or none",
        "check HTTPS_PROXY and HTTP_PROXY, or name the server's host in NO_PROXY",
    ),
    (
        (ReadTimeoutError, ResponseStreamingError, IncompleteReadError, RetriesExceededError),
        "{server} did not answer completely, again and again",
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
        "check AWS_ENDPOINT_URL (http://host:port), AWS_PROFILE, AWS_REGION, the bucket's name, and blanks in the keys",
    ),
)

# words in botocore's account of a connection that failed -> the cause
_CAUSES = (
    (("invalid header",), " (AWS_ACCESS_KEY_ID or AWS_SESSION_TOKEN holds a blank or a line end)"),
    (("expired", "not yet valid"), " (by this machine's clock, its certificate is not valid now; is the clock right?)"),
    (("certificate",), " (its certificate is not accepted)"),
    (("wrong_version_number", "wrong version number", "record layer"), " (it does not speak TLS)"),
    (("nameresolution", "getaddrinfo", "name or service", "nodename"), " (its name is unknown)"),
    (("refused",), " (nobody listens there)"),
    (("timed out", "timeout"), " (no answer in time)"),
    (("closed", "reset", "aborted", "badstatusline", "protocol"), " (it hangs up: does it want https?)"),
)


def explain(error: Exception, action: str, bucket: str) -> StoreError:
    """The error in three parts.

    Args:
        error: what botocore raised.
        action: what was tried, with key and address.
        bucket: its name.
    """
    if isinstance(error, ClientError):
        return _answer(error, f"cannot {action}: {_server()} answered", bucket)
    found, expected, todo = next(row for kinds, *row in _NO_ANSWER if isinstance(error, kinds))
    found = found.format(server=_server(), cause=_cause(error), kind=type(error).__name__)
    return StoreError(f"cannot {action}: {found}", expected, todo)


def _answer(error: ClientError, start: str, bucket: str) -> StoreError:
    """What an answer that is no success says."""
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
        expected = "an S3 server that answers itself, in the region of the bucket"
        return StoreError(what, expected, f"{_ELSEWHERE}; on Amazon, set AWS_REGION")
    expected, todo = _BY_CODE.get(code) or _BY_STATUS.get(status) or (_REGION if 300 <= status < 400 else _OTHER)
    refused = RefusedError if 400 <= status < 500 and status != 429 else StoreError
    kind = NotSupportedError if status == 501 or code == "NotImplemented" else refused
    return kind(what, expected.format(bucket=bucket), todo)


def _off_s(headers: Mapping[str, str], said: Mapping[str, Any]) -> float:
    """By how many seconds this machine's clock is ahead of the server's, as far as its answer tells."""
    for text, read in ((said.get("ServerTime"), datetime.fromisoformat), (headers.get("date"), parsedate_to_datetime)):
        try:
            moment = read(str(text))
        except ValueError:
            continue
        return time.time() - (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return 0.0


def _far(off_s: float) -> str:
    """How far, in words: "3.0 h behind"."""
    size = abs(off_s)
    days, hours, minutes = size / 86400, size / 3600, size / 60
    length = f"{days:.0f} days" if days > 3 else f"{hours:.1f} h" if hours > 2 else f"{minutes:.0f} min"
    return f"{length} {'ahead of' if off_s > 0 else 'behind'}"


def _cause(error: Exception) -> str:
    """Why there is no connection, where that is known."""
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
