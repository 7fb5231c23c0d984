"""What a search reads from its store: whole by its hashes (the store sees to that), and sound by what it says."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from tuner.base.untrusted import MalformedError
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
        CorruptArtifactError: it is not what was published, or it is but is invalid: its writer was malicious or had a
            defect. A search makes it again.
    """
    folder = artifacts.fetch(kind, key)
    try:
        return load(folder)
    except MalformedError as error:
        raise CorruptArtifactError(
            f"artifact {kind}/{key} in {artifacts.store.url} makes no sense: {error.what}",
            error.expected,
            "run the same search again, which makes it anew; if it happens again, look who else writes to the store",
        ) from error
