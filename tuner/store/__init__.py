"""Where searches live: one protocol, a folder or S3 behind it; artifacts, ledger and lease on top of it."""

from tuner.store.artifacts import Artifacts, open_artifacts
from tuner.store.claims import Claims
from tuner.store.errors import MissingKey, StoreFailure
from tuner.store.lease import Lease, LeaseHeld
from tuner.store.ledger import Ledger
from tuner.store.manifest import CorruptArtifact, File, Manifest
from tuner.store.names import check_name
from tuner.store.open import open_store
from tuner.store.probe import probe_conditional_put
from tuner.store.store import Stat, Store

__all__ = [
    "Artifacts",
    "Claims",
    "CorruptArtifact",
    "File",
    "Lease",
    "LeaseHeld",
    "Ledger",
    "Manifest",
    "MissingKey",
    "Stat",
    "Store",
    "StoreFailure",
    "check_name",
    "open_artifacts",
    "open_store",
    "probe_conditional_put",
]
