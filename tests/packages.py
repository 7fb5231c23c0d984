"""Optional packages, for tests that use them as they are."""

from typing import Any

import pytest

from tuner.features.torchvision_operators import declare_missing_operators


def optional(name: str, extra: str) -> Any:
    """The package; tests are skipped, with the reason, where its extra is not installed."""
    declare_missing_operators()
    return pytest.importorskip(name, reason=f"the extra `{extra}` is not installed")
