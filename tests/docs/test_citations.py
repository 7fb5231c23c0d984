"""What code and documents cite exists: every page, and every section of it."""

import re

import pytest

from tests.docs.pages import ROOT

FOLDERS = ("tuner", "jobs", "cluster", "tests", "benchmarks", "docs")
FILES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "Makefile", "ray_cluster.yaml")
CITED = re.compile(r"docs/[\w/-]+\.md(?:#[\w-]+)?")
LINKED = re.compile(r"\]\((?!https?:|mailto:)([^)\s#]*)(#[\w-]+)?\)")
# Notes that their writers had and readers have not.
BARE = re.compile(r"\b(?:METHOD|QP|DESIGN|STACK)\.md\b|\bMETHOD \d|\bDESIGN (?:decision )?\d")


def texts():
    """Every text of the project but this file, with its path."""
    kinds = (".py", ".md", ".yaml", ".html", ".ipynb", ".toml", ".sh")
    for folder in FOLDERS:
        yield from (
            path for path in (ROOT / folder).rglob("*") if path.suffix in kinds and path.name != "test_citations.py"
        )
    yield from (ROOT / name for name in FILES)


def anchors(path):
    """The sections of a page: those that are named, and those that follow from a heading's words."""
    found = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            named = re.search(r"\{#([\w-]+)\}", line)
            words = re.sub(r"[^\w\s-]", "", line.lstrip("# ").lower()).strip()
            found.add(named[1] if named else re.sub(r"[\s]+", "-", words))
    return found


def test_every_citation_leads_somewhere():
    lost = []
    for path in texts():
        for cited in CITED.findall(path.read_text(encoding="utf-8")):
            page, _, anchor = cited.partition("#")
            if not (ROOT / page).is_file() or (anchor and anchor not in anchors(ROOT / page)):
                lost.append(f"{path.relative_to(ROOT)}: {cited}")
    assert not lost, "\n".join(lost)


@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.stem)
def test_every_link_of_a_page_leads_somewhere(path):
    lost = []
    for target, anchor in LINKED.findall(path.read_text(encoding="utf-8")):
        page = (path.parent / target) if target else path
        if not page.exists() or (anchor and page.suffix == ".md" and anchor[1:] not in anchors(page)):
            lost.append(target + anchor)
    assert not lost


def test_nothing_is_cited_that_readers_do_not_have():
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if BARE.search(line)
    ]
    assert not found, "\n".join(found)
