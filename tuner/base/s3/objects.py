"""Reads the objects of a bucket that somebody else wrote, such as images: any keys, no locks, nothing written."""

import os
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from tuner.base.s3.calls import Calls
from tuner.base.s3.client import connect
from tuner.base.s3.failures import code_of, required, status_of

if TYPE_CHECKING:
    pass

BRANCHES = 64  # prefixes that a listing is split into, if there are so many
_MISSING = ("NoSuchKey", "404", "NotFound")


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as listed.

    Args:
        key: its key.
        size: bytes.
        version: its ETag, which changes with its contents.
    """

    key: str
    size: int
    version: str

    @property
    def stamp(self) -> str:
        """What changes when the object is written again."""
        return f"{self.size} {self.version}"


class Objects:
    """The objects of one bucket. Threads may share it; `objects_of` gives one to each process.

    Args:
        bucket: name of an existing bucket.

    Attributes:
        parallel: how many requests may be made at a time; a client has 50 connections.
    """

    parallel = 32

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self._client = connect()
        self._calls = Calls(bucket, "get and list")

    def read(self, key: str) -> tuple[bytes, str] | None:
        """Contents and version of an object; None if there is no such key.

        Raises:
            StoreError: it cannot be read.
        """

        def request() -> tuple[bytes, str] | None:
            try:
                answer = self._client.get_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if code_of(error) in _MISSING:
                    return None
                raise
            return answer["Body"].read(), required(answer, "ETag")

        return self._calls.make(f"read {self._url(key)}", request, lambda: self._client)

    def look(self, key: str) -> Listed | None:
        """Size and version of an object; None if there is no such key.

        Raises:
            StoreError: it cannot be asked for.
        """

        def request() -> Listed | None:
            try:
                head = self._client.head_object(Bucket=self.bucket, Key=key)
            except ClientError as error:
                if status_of(error) == 404:
                    return None
                raise
            return Listed(key, head["ContentLength"], required(head, "ETag"))

        return self._calls.make(f"look up {self._url(key)}", request, lambda: self._client)

    def list(self, prefix: str) -> Generator[Listed]:
        """All objects whose keys begin with the prefix, in no order.

        The listing is split by folders, level by level until there are enough, and the parts are fetched in parallel.

        Raises:
            StoreError: they cannot be listed.
        """
        branches, pool = [prefix], ThreadPoolExecutor(self.parallel)
        try:
            while 0 < len(branches) < BRANCHES:
                levels = list(pool.map(self._level, branches))
                for found, _ in levels:
                    yield from found
                branches = [below for _, deeper in levels for below in deeper]
            for found in pool.map(self._all, branches):
                yield from found
        finally:  # also of a listing that is given up
            pool.shutdown(cancel_futures=True)

    def _level(self, prefix: str) -> tuple[Sequence[Listed], Sequence[str]]:
        """Objects directly below a prefix, and the prefixes one level below it."""
        found: list[Listed] = []
        below: list[str] = []
        for page in self._pages(prefix, Delimiter="/"):
            found += _listed(page)
            below += [entry["Prefix"] for entry in page.get("CommonPrefixes", ())]
        return found, below

    def _all(self, prefix: str) -> Sequence[Listed]:
        return [entry for page in self._pages(prefix) for entry in _listed(page)]

    def _pages(self, prefix: str, **options: str) -> Iterator[Any]:
        where: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix, **options}

        def request() -> Any:
            page = self._client.list_objects_v2(**where)
            required(page, "IsTruncated")
            return page

        while True:
            page = self._calls.make(f"list {self._url(prefix)}", request, lambda: self._client)
            yield page
            if not page["IsTruncated"]:
                return
            where["ContinuationToken"] = page["NextContinuationToken"]

    def _url(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"


def _listed(page: Any) -> Iterator[Listed]:
    return (Listed(entry["Key"], entry["Size"], entry["ETag"]) for entry in page.get("Contents", ()))


_CONNECTED: dict[tuple[object, ...], Objects] = {}
_CONNECTING = threading.Lock()


def objects_of(bucket: str) -> Objects:
    """The objects of a bucket as this process reaches them: one client for each environment, again after a fork."""
    environment = (os.getpid(), bucket, *sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    with _CONNECTING:
        if environment not in _CONNECTED:
            _CONNECTED[environment] = Objects(bucket)
        return _CONNECTED[environment]
