"""The store on S3: any S3-compatible server, configured by the standard AWS environment variables."""

import os
import threading
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.exceptions import ClientError
from s3transfer.subscribers import BaseSubscriber

from tuner.base.pulse import beat
from tuner.base.s3.calls import Calls
from tuner.base.s3.client import connect
from tuner.base.s3.failures import required, status_of
from tuner.store.disk import draft, explained
from tuner.store.errors import missing_key
from tuner.store.names import check_key, check_prefix
from tuner.store.store import Stat

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectsV2OutputTypeDef

Result = TypeVar("Result")

_TRANSFER = TransferConfig(preferred_transfer_client="classic")  # parts of 8 MiB, ten at a time


class S3Store:
    """A `Store` in a bucket, under a prefix.

    Args:
        bucket: name of an existing bucket.
        prefix: prefix of all keys, without leading or trailing slashes; may be empty.
        cache: where downloads are kept on this node; None: `folders.cache_root`.
        known: whether the store is known to have answered before; see `open_store`.
    """

    parallel = 24

    def __init__(self, bucket: str, prefix: str = "", cache: Path | None = None, *, known: bool = False) -> None:
        self.bucket = bucket
        self.prefix = f"{check_key(prefix)}/" if prefix else ""
        self.cache = cache
        self.url = f"s3://{bucket}/{prefix}".rstrip("/")
        self._calls = Calls(bucket, "get, put, list and delete", reached=known)
        self._connecting = threading.Lock()
        self._connection: tuple[int, S3Client, Any] | None = None

    def __reduce__(self) -> tuple[type["S3Store"], tuple[str, str, Path | None]]:
        """Pickle the address only; credentials stay in the environment."""
        return S3Store, (self.bucket, self.prefix.rstrip("/"), self.cache)

    def __repr__(self) -> str:
        """The address."""
        return f"S3Store({self.url!r})"

    def get(self, key: str) -> bytes:
        """See `Store.get`."""
        return self._call("read", key, lambda: self._read(key)[0])

    def put(self, key: str, data: bytes) -> None:
        """See `Store.put`."""
        self._call("write", key, lambda: self._write(key, data))

    def put_new(self, key: str, data: bytes) -> bool:
        """See `Store.put_new`."""
        return self._put_if(key, data, IfNoneMatch="*") is not None

    def replace(self, key: str, data: bytes, version: str) -> str | None:
        """See `Store.replace`."""
        return self._put_if(key, data, IfMatch=version)

    def stat(self, key: str) -> Stat | None:
        """See `Store.stat`."""

        def request() -> Stat | None:
            try:
                head = self.client.head_object(**self._at(key))
            except ClientError as error:
                if status_of(error) == 404:
                    return None
                raise
            return Stat(head["ContentLength"], required(head, "ETag"), required(head, "LastModified").timestamp())

        return self._call("look up", key, request)

    def now(self) -> float:
        """See `Store.now`; in whole seconds, like `Stat.modified` on S3."""

        def request() -> float:
            answer = self.client.head_bucket(Bucket=self.bucket)
            return parsedate_to_datetime(required(answer["ResponseMetadata"]["HTTPHeaders"], "date")).timestamp()

        return self._call("reach", "", request)

    def list(self, prefix: str) -> Iterator[str]:
        """See `Store.list`."""
        where: dict[str, Any] = {"Bucket": self.bucket, "Prefix": self.prefix + check_prefix(prefix)}
        while True:
            page = self._call("list", prefix, lambda: self._page(where))
            for entry in page.get("Contents", ()):
                yield entry["Key"].removeprefix(self.prefix)
            if not page["IsTruncated"]:
                return
            where["ContinuationToken"] = page["NextContinuationToken"]

    def delete(self, key: str) -> None:
        """See `Store.delete`."""
        self._call("delete", key, lambda: self.client.delete_object(**self._at(key)))

    def upload(self, path: Path, key: str) -> None:
        """See `Store.upload`; large files are sent in parts, several at a time."""

        def request() -> None:
            if path.stat().st_size < _TRANSFER.multipart_threshold:
                self._write(key, path.read_bytes())
            else:
                self._transfers.upload(
                    str(path), self.bucket, self.prefix + check_key(key), subscribers=[_Beats()]
                ).result()

        with explained("read", path):
            self._call("upload", key, request)

    def download(self, key: str, path: Path) -> None:
        """See `Store.download`; large files are fetched in parts, several at a time."""
        where = check_key(key)

        def request(new: Path) -> None:
            try:
                self._transfers.download(self.bucket, self.prefix + where, str(new), subscribers=[_Beats()]).result()
            except ClientError as error:
                if status_of(error) == 404:
                    raise missing_key(key, self.url) from None
                raise

        with explained("download to", path), draft(path) as new:
            self._call("download", key, lambda: request(new))
            new.replace(path)

    def local_path(self, key: str) -> None:
        """See `Store.local_path`."""

    @property
    def client(self) -> "S3Client":
        """The boto3 client of this process."""
        return self._connect()[0]

    @property
    def _transfers(self) -> Any:
        return self._connect()[1]

    def _connect(self) -> tuple["S3Client", Any]:
        """Client and transfer threads, created on first use and again after a fork, which neither survives."""
        with self._connecting:
            if self._connection is None or self._connection[0] != os.getpid():
                client = connect()
                self._connection = os.getpid(), client, create_transfer_manager(client, _TRANSFER)
            return self._connection[1:]

    def _at(self, key: str) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Key": self.prefix + check_key(key)}

    def _read(self, key: str) -> tuple[bytes, str]:
        """The bytes and the version of a key."""
        try:
            answer = self.client.get_object(**self._at(key))
        except ClientError as error:
            if error.response["Error"].get("Code") in ("NoSuchKey", "404"):
                raise missing_key(key, self.url) from None
            raise
        return answer["Body"].read(), required(answer, "ETag")

    def _write(self, key: str, data: bytes, **condition: Any) -> str:
        """Put bytes under a key; returns its new version."""
        return str(required(self.client.put_object(Body=data, **self._at(key), **condition), "ETag"))

    def _page(self, where: dict[str, Any]) -> "ListObjectsV2OutputTypeDef":
        """One page of a listing."""
        page = self.client.list_objects_v2(**where)
        required(page, "IsTruncated")
        return page

    def _put_if(self, key: str, data: bytes, **condition: Any) -> str | None:
        """Write under a condition; returns the new version, or None if the condition does not hold.

        A retried request may be refused because its first attempt succeeded and only the response was lost; so the
        key is then read to see whether it holds our bytes.
        """
        tries = 0

        def request() -> str | None:
            nonlocal tries
            tries += 1
            try:
                return self._write(key, data, **condition)
            except ClientError as error:
                gone = error.response["Error"].get("Code") in ("NoSuchKey", "404")
                if status_of(error) != 412 and not gone:
                    raise
                repeated = tries > 1 or error.response["ResponseMetadata"].get("RetryAttempts", 0) > 0
            if not repeated or gone:
                return None
            found, version = self._read(key)
            return version if found == data else None

        return self._call("write", key, request)

    def _call(self, action: str, key: str, request: Callable[[], Result]) -> Result:
        """Make a request with retries; `key` may be empty."""
        what = f"{action} {key} in {self.url}" if key else f"{action} {self.url}"
        return self._calls.make(what, request, lambda: self.client)


class _Beats(BaseSubscriber):  # type: ignore[misc, unused-ignore]
    """Each transferred portion of a large file counts as a heartbeat."""

    def on_progress(self, future: Any, bytes_transferred: int, **_: Any) -> None:
        """Called by the transfer threads."""
        if bytes_transferred > 0:  # negative when a failed part starts again
            beat()
