"""The README, followed from its first command to its last, and where it leads."""

import re
import shlex
import sys

import pytest

from tests.docs.pages import ROOT, follow

README = ROOT / "README.md"

# The two commands that make an environment: CI runs them as they are (.ci/run). Here the search is a small one, in the
# environment that runs this test, and of `make test` it is only asked whether there is such a target.
SMALL = "--trials 2 dense.epochs=2 finetune.epochs=2 confirm.seeds=1"
INSTEAD = {
    "make search": f"ln -s {shlex.quote(sys.prefix)} .venv\n"
    f".venv/bin/python -m jobs.search --recipe digits --store runs --name digits {SMALL}",
    "make test": f"make --dry-run --directory {shlex.quote(str(ROOT))} test > targets.txt",
}


@pytest.mark.slow
@pytest.mark.cluster
@pytest.mark.timeout(300)
def test_every_command_works_after_those_above_it(tmp_path):
    printed = follow(README, tmp_path, INSTEAD)
    assert "Traceback" not in printed
    assert (tmp_path / "picked" / "card.json").is_file()
    assert (tmp_path / "why.html").is_file()
    assert (tmp_path / "report.html").is_file()


def test_every_link_leads_to_a_file():
    text = README.read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)#]+)", text) if "://" not in target]
    assert len(targets) > 10
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_every_command_of_the_documents_exists():
    import jobs

    pages = [README, *(ROOT / "docs").rglob("*.md")]
    named = {name for page in pages for name in re.findall(r"(?:^|`)qpm-tuner (\w+)", page.read_text(), re.MULTILINE)}
    assert named - {"NAME"} <= set(jobs.NAMES)
    assert "search" in named


def test_the_readme_is_short():
    assert len(README.read_text(encoding="utf-8").splitlines()) < 100
