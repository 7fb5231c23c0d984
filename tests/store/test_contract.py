"""The contract of all stores, on a folder and on S3; and on one that does not keep it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tuner.store import Store
from tuner.testing import StoreContract

FORGETFUL = """
import pytest
from tuner.store import open_store
from tuner.store.local import LocalStore
from tuner.testing import StoreContract


class Careless(LocalStore):
    def put_new(self, key, data):
        self.put(key, data)
        return True


class TestCareless(StoreContract):
    across_processes = False

    @pytest.fixture
    def store(self, tmp_path):
        return Careless(tmp_path / "store")
"""


class TestStores(StoreContract):
    """A folder and S3 must not be told apart by anybody above them."""

    @pytest.fixture
    def store(self, any_store: Store) -> Store:
        """As the other tests have it."""
        return any_store


@pytest.mark.slow
def test_the_contract_finds_a_store_that_does_not_keep_it(tmp_path: Path) -> None:
    (tmp_path / "test_careless.py").write_text(FORGETFUL)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    failed = {line.split("::")[-1].split(" ")[0] for line in done.stdout.splitlines() if line.startswith("FAILED")}
    assert failed == {
        "test_put_new_keeps_what_is_there",
        "test_of_racing_creators_one_wins",
        "test_conditional_put_is_kept",
    }
    assert "2 skipped" in done.stdout
    assert "assert [" in done.stdout, "a shipped assertion tells what it compared"


@pytest.mark.slow
def test_the_library_does_not_need_pytest() -> None:
    code = "import sys, tuner, tuner.store, tuner.recipe, tuner.search.record.home; sys.exit('pytest' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
