"""Storage of searches: artifacts, ledger and lease on top of one `Store` protocol, backed by a folder or S3."""

from tuner.renamed import renamed_names
from tuner.store.artifacts import Artifacts, open_artifacts
from tuner.store.claims import Claims
from tuner.store.errors import MissingKeyError, StoreError
from tuner.store.lease import Lease, LeaseHeldError
from tuner.store.ledger import Ledger
from tuner.store.manifest import CorruptArtifactError, File, Manifest
from tuner.store.names import check_name
from tuner.store.open import open_store
from tuner.store.probe import probe_conditional_put
from tuner.store.store import Stat, Store

_RENAMED = {  # until version 0.3
    "CorruptArtifact": "CorruptArtifactError",
    "LeaseHeld": "LeaseHeldError",
    "MissingKey": "MissingKeyError",
    "StoreFailure": "StoreError",
}

__getattr__ = renamed_names(__name__, _RENAMED)

__all__ = [
    "Artifacts",
    "Claims",
    "CorruptArtifactError",
    "File",
    "Lease",
    "LeaseHeldError",
    "Ledger",
    "Manifest",
    "MissingKeyError",
    "Stat",
    "Store",
    "StoreError",
    "check_name",
    "open_artifacts",
    "open_store",
    "probe_conditional_put",
]
