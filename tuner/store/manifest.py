"""The manifest of an artifact: its files and their hashes. An artifact without a manifest does not exist."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from tuner.base.untrusted import MalformedError, is_whole, parse_json, shown
from tuner.errors import TunerError, UsageError
from tuner.store.names import check_key

FORMAT = 1
LARGEST = 2**60  # bytes
Meta = TypeVar("Meta", int, float, str)
_SHA256 = re.compile("[0-9a-f]{64}")


class CorruptArtifactError(TunerError):
    """An artifact whose files do not match its manifest."""


@dataclass(frozen=True)
class File:
    """One file of an artifact."""

    sha256: str
    size: int


@dataclass(frozen=True)
class Manifest:
    """The list of an artifact's files.

    Args:
        kind: `banks`, `stages/dense`, ...
        key: hash of all inputs of the artifact.
        files: by path relative to the artifact's folder.
        meta: additional information of the publisher, JSON-serializable.
        created: time of publication, UTC, ISO 8601.
    """

    kind: str
    key: str
    files: dict[str, File]
    meta: dict[str, Any]
    created: str
    format: int = FORMAT

    @property
    def digest(self) -> str:
        """Hash of the contents: equal for equal files, wherever and whenever they were published."""
        content = json.dumps({name: file.sha256 for name, file in self.files.items()}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:32]

    @property
    def folder(self) -> str:
        """The store's prefix of the files. Publishers of different contents never overwrite each other's files."""
        return f"{self.kind}/{self.key}/{self.digest}"

    @property
    def size_bytes(self) -> int:
        """Total size of the files."""
        return sum(file.size for file in self.files.values())

    def to_json(self) -> bytes:
        """The manifest as stored.

        Raises:
            UsageError: `meta` is not JSON-serializable.
        """
        try:
            return json.dumps(asdict(self), indent=1, sort_keys=True, allow_nan=False).encode()
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"the metadata of {self.kind}/{self.key} cannot be written: {error}",
                "JSON: strings, finite numbers, booleans, null, lists and dictionaries",
                "convert the values before publishing",
            ) from error

    @classmethod
    def from_json(cls, data: bytes, where: str) -> "Manifest":
        """Read and check a manifest.

        Args:
            data: the bytes of manifest.json.
            where: its address, for error messages.

        Raises:
            CorruptArtifactError: it is not a manifest, or names a file outside its folder.
            TunerError: it was written by a later version of this program.
        """
        try:
            fields = parse_json(data, where)
            if (written := fields.get("format")) != FORMAT:
                raise TunerError(
                    f"{where} has format {shown(written)}",
                    f"format {FORMAT}",
                    "use the version of qpm-tuner that wrote it, or a later one",
                )
            files = {check_key(name): _file(entry) for name, entry in fields["files"].items()}
            if not files or len({name.lower() for name in files}) < len(files):
                raise ValueError("no files, or two that a case-insensitive disk cannot tell apart")
            kind, key, created = (_text(fields[name]) for name in ("kind", "key", "created"))
            if not isinstance(meta := fields["meta"], dict):
                raise TypeError("meta")
            return cls(kind, key, files, meta, created)
        except (ValueError, KeyError, TypeError, AttributeError, UsageError, MalformedError) as error:
            reason = error.what if isinstance(error, TunerError) else "a field is missing or malformed"
            raise corrupt(where, f"is not a valid manifest: {reason}") from error

    def told(self, name: str, kind: type[Meta]) -> Meta:
        """A value of `meta`.

        Raises:
            CorruptArtifactError: it is missing or of another type.
        """
        value = self.meta.get(name)
        if type(value) is kind or (kind is float and type(value) is int):
            return kind(value)
        raise corrupt(f"manifest {self.kind}/{self.key}", f"has {name}={shown(value)}, expected {kind.__name__}")


def corrupt(where: str, problem: str) -> CorruptArtifactError:
    """The error for a damaged artifact."""
    return CorruptArtifactError(
        f"{where} {problem}",
        "the bytes that were published",
        "remove the artifact and run its stage again; if it happens again, check the disk or the store",
    )


def _file(entry: dict[str, Any]) -> File:
    if not (is_whole(entry["size"], 0, LARGEST) and _SHA256.fullmatch(_text(entry["sha256"]))):
        raise ValueError("a size or a hash")
    return File(entry["sha256"], entry["size"])


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text")
    return value
