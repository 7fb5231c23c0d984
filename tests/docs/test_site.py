"""The documents build without a warning, and no page of the site fetches anything from elsewhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

# What a page loads when it is opened: scripts, styles, pictures, frames. Links that people follow are another matter.
FETCHED = re.compile(
    r"<(?:script|img|iframe|source|link)\b[^>]*?(?:src|href)=\"(?:https?:)?//[^\"]*\"[^>]*>", re.IGNORECASE
)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built from a copy of the documents."""
    folder = tmp_path_factory.mktemp("documents")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", folder)
    (folder / "tuner").symlink_to(ROOT / "tuner")
    command = [Path(sys.executable).parent / "zensical", "build", "--strict"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
    return folder / "site"


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


@pytest.mark.slow
def test_every_page_is_there(site):
    written = {page.relative_to(ROOT / "docs").with_suffix(".html") for page in (ROOT / "docs").rglob("*.md")}
    assert written <= {page.relative_to(site) for page in pages(site)}


def test_no_page_fetches_anything(site):
    assert not [(page.name, found[0]) for page in pages(site) for found in FETCHED.finditer(page.read_text())]


def test_no_page_asks_for_what_the_theme_would_fetch(site):
    """Mermaid, MathJax and the like come from other servers: no page uses them."""
    asked = re.compile(r'class="(?:mermaid|arithmatex|glightbox)|pyodide|unpkg\.com|jsdelivr', re.IGNORECASE)
    assert not [(page.name, found[0]) for page in pages(site) for found in asked.finditer(page.read_text())]


def test_every_public_name_is_on_the_page_of_the_api(site):
    import tuner.qpm
    import tuner.qpm.program
    import tuner.store

    page = (site / "reference" / "api.html").read_text()
    for package in (tuner.qpm, tuner.qpm.program, tuner.store):
        for name in package.__all__:
            assert f'id="{package.__name__}.{name}"' in page or f".{name}" in page, name


def test_every_page_is_in_the_navigation():
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    assert {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")} == listed
