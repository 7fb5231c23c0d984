"""Tests to be run on what others add to the library. Needs pytest; nothing else in `tuner` imports it."""

import pytest

pytest.register_assert_rewrite("tuner.testing.stores")

from tuner.testing.stores import StoreContract  # noqa: E402

__all__ = ["StoreContract"]
