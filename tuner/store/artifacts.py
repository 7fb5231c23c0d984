"""Artifacts: folders in the store, published atomically and verified against their hashes when read.

<kind>/<key>/manifest.json      written last, first publisher wins
<kind>/<key>/<digest>/<files>   <digest> is the hash of the contents
"""

import logging
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from tuner.base.folders import cache_root
from tuner.base.hashing import sha256_file
from tuner.base.untrusted import shown
from tuner.errors import UsageError
from tuner.store.cache import NodeCache, default_limit_bytes
from tuner.store.disk import explained
from tuner.store.errors import MissingKeyError, missing_key
from tuner.store.manifest import CorruptArtifactError, File, Manifest, corrupt
from tuner.store.names import check_key
from tuner.store.open import open_store
from tuner.store.store import Store, for_each

_log = logging.getLogger(__name__)


class Artifacts:
    """One process's access to the artifacts of a store; picklable if the store is.

    Args:
        store: holds the artifacts.
        cache_dir: where this node keeps downloads from a remote store; None: `store.cache`, then
            `folders.cache_root`.
        limit_bytes: maximum size of the downloads; None: `cache.default_limit_bytes`.
    """

    def __init__(self, store: Store, cache_dir: Path | None = None, limit_bytes: int | None = None) -> None:
        self.store = store
        folder = cache_dir or store.cache or cache_root() / "artifacts"
        self.cache = NodeCache(folder, limit_bytes or default_limit_bytes())
        self._verified: set[str] = set()

    def find(self, kind: str, key: str) -> Manifest | None:
        """The manifest of a published artifact, or None if it has not been published. One request.

        Raises:
            CorruptArtifactError: the manifest is damaged.
        """
        name = _manifest_key(kind, key)
        try:
            data = self.store.get(name)
        except MissingKeyError:
            return None
        manifest = Manifest.from_json(data, f"{name} in {self.store.url}")
        if (manifest.kind, manifest.key) != (kind, key):
            raise corrupt(f"{name} in {self.store.url}", f"belongs to {shown(f'{manifest.kind}/{manifest.key}')}")
        return manifest

    def publish(self, kind: str, key: str, folder: Path, meta: dict[str, Any]) -> Manifest:
        """Copy a folder into the store; the manifest is written last.

        If the artifact exists already, or another process publishes it first, the existing one is kept and its
        manifest returned: equal keys mean equal inputs. Callers look for the artifact before they make it, so this
        method does not check again before uploading.

        Args:
            kind: `banks`, `stages/dense`, ...
            key: hash of all inputs of the artifact.
            folder: local folder; all its files are published, including those in subfolders. No file may be hidden.
            meta: additional information, JSON-serializable.

        Raises:
            UsageError: the folder is empty, a file name is not a valid key, or `meta` is not JSON-serializable.
            TunerError: the store rejects the upload; nothing is published.
        """
        created = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(kind, key, _files_of(folder), meta, created)
        data = manifest.to_json()
        for_each(
            self.store,
            lambda name: self.store.upload(folder / name, f"{manifest.folder}/{name}"),
            list(manifest.files),
        )
        if self.store.put_new(_manifest_key(kind, key), data):
            return manifest
        return self.find(kind, key) or manifest

    def fetch(self, kind: str, key: str) -> Path:
        """A local folder with the verified files of an artifact; treat it as read-only.

        Sizes are checked on every call, hashes on the first call of this object. If the store is a folder, the
        files are used in place; from a remote store they are downloaded once per node.

        Raises:
            MissingKeyError: the artifact does not exist.
            CorruptArtifactError: a file does not match the manifest.
        """
        manifest = self.find(kind, key)
        if manifest is None:
            raise missing_key(f"{kind}/{key}", self.store.url)
        in_place = self.store.local_path(manifest.folder)
        if in_place is not None:
            self._verify(manifest, in_place)
            return in_place
        try:
            folder = self._download(manifest)
            self._verify(manifest, folder)
        except CorruptArtifactError as error:
            _log.warning("%s; downloading it again", error.what)
            self.cache.drop(manifest.digest)
            folder = self._download(manifest)
        return folder

    def remove(self, kind: str, key: str) -> None:
        """Delete an artifact, manifest first, and any files that an interrupted upload left under its key."""
        _log.info("removing %s/%s", kind, key)
        self.store.delete(_manifest_key(kind, key))
        for_each(self.store, self.store.delete, list(self.store.list(f"{kind}/{key}/")))
        self._verified.clear()

    def _download(self, manifest: Manifest) -> Path:
        _log.debug("downloading %s, %d bytes", manifest.folder, manifest.size_bytes)

        def fill(folder: Path) -> None:
            try:
                for_each(
                    self.store,
                    lambda name: self.store.download(f"{manifest.folder}/{name}", folder / name),
                    list(manifest.files),
                )
            except MissingKeyError as error:
                raise corrupt(manifest.folder, f"is incomplete: {error.what}") from error
            self._verify(manifest, folder)

        return self.cache.get(manifest.digest, manifest.size_bytes, fill)

    def _verify(self, manifest: Manifest, folder: Path) -> None:
        for name, file in manifest.files.items():
            path = folder / name
            where = f"{manifest.folder}/{name} in {self.store.url}"
            with explained("read", path):
                if not path.is_file():
                    raise corrupt(where, "is missing")
                if (size := path.stat().st_size) != file.size:
                    raise corrupt(where, f"has {size} bytes, expected {file.size}")
                if manifest.folder not in self._verified and sha256_file(path) != file.sha256:
                    raise corrupt(where, "does not match its SHA-256")
        self._verified.add(manifest.folder)


@lru_cache(maxsize=4)
def open_artifacts(url: str) -> Artifacts:
    """The artifacts of a search's store; cached per process with its connections and verified hashes."""
    return Artifacts(open_store(url, known=True))


def _manifest_key(kind: str, key: str) -> str:
    return check_key(f"{kind}/{key}/manifest.json")


def _files_of(folder: Path) -> dict[str, File]:
    with explained("read", folder):
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        files = {check_key(path.relative_to(folder).as_posix()): path for path in paths}
        if not files:
            raise UsageError(
                f"nothing to publish in {folder}", "a folder with files", "write the artifact's files first"
            )
        return {name: File(sha256_file(path), path.stat().st_size) for name, path in files.items()}
