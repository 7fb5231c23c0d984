"""Reads a search's artifacts from its store; the store verifies hashes, this file validates contents."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tuner.base.untrusted import MalformedError
from tuner.search.record.bank_folder import drop_shards, fetch_bank
from tuner.store import Artifacts, CorruptArtifactError

Loaded = TypeVar("Loaded")


def load_input(artifacts: Artifacts, kind: str, key: str, load: Callable[[Path], Loaded]) -> Loaded:
    """An artifact, loaded.

    Args:
        artifacts: of the search's store.
        kind: such as `stages/dense`.
        key: its key.
        load: reads its folder.

    Raises:
        MissingKeyError: there is no such artifact.
        CorruptArtifactError: it differs from what was published, or is invalid because its writer was faulty or
            malicious. A search recreates it.
    """
    is_bank = kind == "banks"
    try:
        folder = fetch_bank(artifacts, key) if is_bank else artifacts.fetch(kind, key)
        return load(folder)
    except MalformedError as error:
        if is_bank:
            drop_shards(artifacts, key)
        raise CorruptArtifactError(
            f"artifact {kind}/{key} in {artifacts.store.url} is invalid: {error.what}",
            error.expected,
            "run the same search again, which recreates it; if it happens again, check who else writes to the store",
        ) from error
