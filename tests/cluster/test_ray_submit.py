"""`ray up` and `ray submit ray_cluster.yaml jobs/search.py` over ssh: the search uses the head's Ray and MLflow."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.namespaces import run_apart
from tuner.search.record.home import open_home
from tuner.store import open_store

pytestmark = [pytest.mark.long, pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def scratch() -> Iterator[Path]:
    """For Ray's sessions, whose paths must be short."""
    folder = Path(tempfile.mkdtemp(prefix="qpm-"))
    yield folder
    shutil.rmtree(folder)


def test_a_search_is_submitted_cut_off_and_carried_on(tmp_path: Path, scratch: Path) -> None:
    missing = [program for program in ("ssh", "ssh-keygen", "sshd", "rsync") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} here: apt-get install openssh-server rsync")
    told = re.sub(r"\x1b\[[0-9;]*m", "", run_apart("tests.cluster.over_ssh", str(tmp_path), str(scratch)))
    assert "http://127.0.0.1:5000/#/experiments/" in told, "the head's MLflow"
    assert told.count("entrypoint='python ") == 3, "two submitted scripts and a job ran on the head's Ray"
    assert len(list(scratch.glob("ray/session_2*"))) == 1, "and started none of their own"
    state = open_home(open_store(str(tmp_path / "runs")), "tiny").state()
    assert state.counts() == {"complete": 4}
