"""What the reference says of variables and of a store's files is what there is."""

import re

import pytest

from tests.docs.pages import ROOT
from tests.searches import WITHOUT_MLFLOW, run_tiny
from tuner.store import open_store

REFERENCE = ROOT / "docs" / "reference"
OWN = re.compile(r"QPM_TUNER_[A-Z_]*[A-Z]")


def test_every_variable_of_this_project_is_on_the_page_and_no_other():
    code = {name for folder in ("tuner", "jobs", "cluster") for name in _variables(folder)}
    assert set(OWN.findall((REFERENCE / "environment.md").read_text())) == code


def _variables(folder):
    return [name for path in (ROOT / folder).rglob("*.py") for name in OWN.findall(path.read_text())]


def described():
    """The keys that the page describes, as one pattern."""
    page = (REFERENCE / "store-files.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    patterns = []
    for row in rows:
        first, *others = re.findall(r"`([^`]+)`", row)
        folder = first.rpartition("/")[0]
        for key in [first, *(f"{folder}/{name}" for name in others)]:
            pattern = re.sub(r"\b(?:KEY|RUN|NAME|STAGE)\b", "[^/]+", key.replace(".", r"\."))
            pattern = pattern.replace(r"\.\.\.", ".+").replace("*", "[^/]*")
            patterns.append(pattern + (".+" if pattern.endswith("/") else ""))
    return re.compile("|".join(patterns))


@pytest.mark.slow
@pytest.mark.cluster
def test_every_file_of_a_store_is_described(tmp_path):
    run_tiny(tmp_path / "runs", "tiny", WITHOUT_MLFLOW)
    keys = list(open_store(tmp_path / "runs").list(""))
    assert len(keys) > 20
    inner = ("mlflow.db", "mlartifacts/", ".")
    assert not [key for key in keys if not key.startswith(inner) and not described().fullmatch(key)]
