"""Where files of a data set lie: in a folder, or in a bucket, `s3://bucket/key`. Both are opened in the same way."""

import errno
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TypeVar, overload

import numpy as np

from tuner.base.secrets import hide, holds_secret
from tuner.data.bucket import objects_of
from tuner.errors import TunerError, UsageError

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_SCHEME = re.compile(r"(s3\w?|gs|az|abfs|hdfs|file|https?)\W?/", re.IGNORECASE)
_FORMS = "a folder, or s3://bucket/prefix"


@dataclass(frozen=True, slots=True)
class S3Path:
    """An object in a bucket, or a prefix of objects; it is used like a `Path` that is only read.

    Endpoint, region and credentials are those of the standard AWS variables and files, in every process.

    Args:
        bucket: its name.
        key: of the object, without a leading slash; keys may contain any characters.
    """

    bucket: str
    key: str

    def __str__(self) -> str:
        """The address."""
        return f"s3://{self.bucket}/{self.key}"

    def __truediv__(self, below: str) -> "S3Path":
        """An object below this prefix."""
        return S3Path(self.bucket, f"{self.key.rstrip('/')}/{below}" if self.key else below)

    def open(self, mode: Literal["rb"] = "rb") -> BinaryIO:
        """The contents; they are fetched whole.

        Raises:
            FileNotFoundError: there is no such object.
            StoreError: it cannot be read.
        """
        return io.BytesIO(self.read_bytes())

    def read_bytes(self) -> bytes:
        """The contents.

        Raises:
            FileNotFoundError: there is no such object.
            StoreError: it cannot be read.
        """
        return self.read_version()[0]

    def read_version(self) -> tuple[bytes, str]:
        """The contents, and the version (ETag) that they are of.

        Raises:
            FileNotFoundError: there is no such object.
            StoreError: it cannot be read.
        """
        found = objects_of(self.bucket).read(self.key)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "no such object", str(self))
        return found


Place = Path | S3Path


def place_of(text: str, setting: str) -> Place:
    """The folder, file or place in a bucket that a setting names.

    Args:
        text: a path, or `s3://bucket/key`.
        setting: its name, for the error.

    Raises:
        UsageError: it is an address of another kind, or one with a slash lost, or one with a password.
    """
    if not in_bucket(text):
        if _SCHEME.match(text) and not Path(text).exists():
            raise UsageError(f"{setting}={hide(text)}", _FORMS, "write it so, or copy the files to such a place")
        return Path(text)
    bucket, _, key = text.removeprefix("s3://").partition("/")
    if not _BUCKET.fullmatch(bucket) or holds_secret(f"s3://{bucket}"):
        raise UsageError(
            f"{setting}={hide(text)}",
            "s3://bucket/prefix, without user, password or port",
            "name keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and a server in AWS_ENDPOINT_URL",
        )
    return S3Path(bucket, key.rstrip("/"))


def in_bucket(text: str) -> bool:
    """Whether a path is an address in a bucket."""
    return text.startswith("s3://")


def file_at(root: Place, path: str) -> Place:
    """The file of a listed path: below `root`, or itself if the path is absolute or in a bucket."""
    if in_bucket(path):
        bucket, _, key = path.removeprefix("s3://").partition("/")
        return S3Path(bucket, key)
    return Path(path) if path.startswith("/") else root / path


class Files(Sequence[Place]):
    """The files of a data set: their root and paths. A file's object is made when it is asked for, so that a million
    of them take the memory of their paths.

    Args:
        root: folder or prefix that the paths are relative to.
        paths: as in `Dataset.paths`.
    """

    def __init__(self, root: Place, paths: Sequence[str]) -> None:
        self.root, self.paths = root, tuple(paths)

    def __len__(self) -> int:
        """The number of files."""
        return len(self.paths)

    @overload
    def __getitem__(self, i: int) -> Place: ...
    @overload
    def __getitem__(self, i: slice) -> "Files": ...
    def __getitem__(self, i: int | slice) -> "Place | Files":
        """File `i`, or some of the files."""
        if isinstance(i, slice):
            return Files(self.root, self.paths[i])
        return file_at(self.root, self.paths[i])

    def part(self, index: np.ndarray) -> "Files":
        """These files alone, in this order; `index` is (n,) int64."""
        return Files(self.root, [self.paths[i] for i in index.tolist()])


def folder_of(file: Place) -> Place:
    """The folder that holds a file."""
    return S3Path(file.bucket, file.key.rpartition("/")[0]) if isinstance(file, S3Path) else file.parent


def is_absolute(path: str) -> bool:
    """Whether a listed path is a place of its own, not one below the data set's root."""
    return in_bucket(path) or path.startswith("/")


Where = TypeVar("Where", Path, S3Path, Place)


def need_folder(folder: Where, expected: str, todo: str) -> Where:
    """Return `folder` if it exists; otherwise the error says what is expected there and where to get it.

    A bucket has no folders: a place in it exists if something is listed below it.

    Raises:
        TunerError: the folder does not exist.
    """
    if not isinstance(folder, S3Path) and not folder.is_dir():
        raise TunerError(f"there is no folder {folder}", expected, todo)
    return folder
