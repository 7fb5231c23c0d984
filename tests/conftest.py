"""What every test shares: no telemetry, no threads fighting for two cores, and the optional real data."""

import os
import secrets
from pathlib import Path

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_enable_open_telemetry", "0")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.pop("COLUMNS", None)  # set where tests run side by side: no log is that narrow
os.environ.setdefault("CHAOS_SEED", str(secrets.randbelow(10**6)))  # one for all processes that share the tests

import pytest
from hypothesis import settings

settings.register_profile("busy", parent=settings.default, deadline=None)  # machines that run tests do other things too
settings.load_profile("busy")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real images and program instances, where this machine has it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no {SHARED_DATA}: the real images and programs are not on this machine")
    return SHARED_DATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that take many minutes run only when asked for."""
    if os.environ.get("LONG") != "1":
        skip = pytest.mark.skip(reason="takes many minutes: run by `make long`")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(skip)
