"""The how-to pages, followed: every block is run as it is printed, in a folder with what the page assumes."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.docs.pages import ROOT, blocks, follow, script

HOW_TO = ROOT / "docs" / "how-to"
SMALL = ("--trials", "2", "dense.epochs=2", "finetune.epochs=2", "confirm.seeds=1")

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(400)]


# Installing a package beside the project: here into a folder of the test instead of the environment that runs it.
INSTALL = "pip install --no-build-isolation --no-deps ./{0}"
BESIDE = (
    "python -m pip install --quiet --no-index --no-build-isolation --no-deps --target site ./{0}\n"
    "export PYTHONPATH=$PWD/site${{PYTHONPATH:+:$PYTHONPATH}}"
)
PACKAGES = {"metric": "quiet-maps", "backbone": "colour-grid", "data-set": "flat-names"}


@pytest.fixture(scope="module")
def searched(tmp_path_factory) -> Path:
    """A folder with a search of the digits, of two small trials."""
    folder = tmp_path_factory.mktemp("searched")
    command = [sys.executable, "-m", "jobs.search", "--recipe", "digits", "--store", "runs", "--name", "digits", *SMALL]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def photos(folder: Path) -> None:
    """Two classes of images with masks."""
    rng = np.random.default_rng(0)
    for name, row in (("cat", 4), ("dog", 28)):
        for i in range(24):
            pixels = rng.integers(0, 120, (48, 48, 3), dtype=np.uint8)
            mask = np.zeros((48, 48), dtype=np.uint8)
            column = int(rng.integers(4, 28))
            pixels[row : row + 16, column : column + 16] += 120
            mask[row : row + 16, column : column + 16] = 255
            for kind, values in (("photos", pixels), ("masks", mask)):
                file = folder / kind / name / f"{i:03d}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(values).save(file)


def test_own_images(tmp_path):
    photos(tmp_path)
    assert "2 complete" in follow(HOW_TO / "own-images.md", tmp_path)


@pytest.mark.parametrize(
    "page",
    [
        "choose-what-is-searched",
        "resume-and-extend",
        pytest.param("compare-methods", marks=pytest.mark.long),
    ],
)
def test_a_page_of_searches(page, tmp_path):
    follow(HOW_TO / f"{page}.md", tmp_path)


def test_set_a_budget(tmp_path):
    printed = follow(HOW_TO / "set-a-budget.md", tmp_path)
    assert "nothing was started, and nothing written to the store" in printed
    assert "40, 4 at once" in printed
    assert "of members of the front" in printed
    assert not (tmp_path / "runs").exists()


def test_get_a_public_data_set(tmp_path):
    assert "Oxford-IIIT Pet" in follow(HOW_TO / "data-sets.md", tmp_path)


def test_choose_a_model(searched, tmp_path):
    shutil.copytree(searched, tmp_path, dirs_exist_ok=True)
    printed = follow(HOW_TO / "choose-a-model.md", tmp_path)
    assert (tmp_path / "zero.html").is_file()
    assert "Traceback" not in printed


def test_control_a_search(searched, tmp_path):
    shutil.copytree(searched, tmp_path, dirs_exist_ok=True)
    printed = follow(HOW_TO / "control-a-search.md", tmp_path)
    assert "budget trials=3: waiting: no driver runs" in printed
    assert "trial 1 of search digits: complete after " in printed


def test_confirm_a_front(searched, tmp_path):
    shutil.copytree(searched, tmp_path, dirs_exist_ok=True)
    printed = follow(HOW_TO / "confirm-a-front.md", tmp_path)
    assert "confirming the front" in printed
    assert "Beyond noise: not known, over 1 run, and at least 2 are needed" in printed


@pytest.mark.parametrize("what", PACKAGES)
def test_add_what_comes_in_a_package(what, tmp_path):
    package = PACKAGES[what]
    printed = follow(HOW_TO / f"add-a-{what}.md", tmp_path, {INSTALL.format(package): BESIDE.format(package)})
    assert "1 complete" in printed


def test_add_a_store(tmp_path):
    printed = follow(HOW_TO / "add-a-store.md", tmp_path)
    assert " passed" in printed
    assert "failed" not in printed


def test_add_a_sampler(tmp_path):
    printed = follow(HOW_TO / "add-a-sampler.md", tmp_path, {INSTALL.format("farthest"): BESIDE.format("farthest")})
    assert "FarthestSettings(name='farthest'" in printed


@pytest.mark.parametrize("what", ["stage"])
def test_add_what_takes_an_edit(what, tmp_path, monkeypatch):
    """In a copy of the project."""
    for name in ("tuner", "jobs"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    follow(HOW_TO / f"add-a-{what}.md", tmp_path)


def test_a_page_that_fails_is_noticed(tmp_path):
    page = ROOT / "docs" / "how-to" / "choose-a-model.md"
    with pytest.raises(AssertionError, match="no search 'digits'"):
        follow(page, tmp_path)


def test_all_that_is_left_out_says_why():
    pages = [*ROOT.glob("docs/**/*.md"), ROOT / "README.md"]
    assert all(len(block.why_not) > 8 for page in pages for block in blocks(page) if block.why_not)
    assert all("not run" not in script(page) for page in pages)


def test_pages_do_not_get_in_each_others_way():
    """In one folder somebody follows one page after the other: an export and another recipe would be refused."""
    folders: dict[str, Path] = {}
    recipes = {"demo": ""}  # that of `make search`
    for page in [ROOT / "README.md", *sorted(ROOT.glob("docs/*/*.md"))]:
        for line in script(page).replace("\\\n", " ").splitlines():
            words = line.split(" #")[0].split()
            if "--export" in words:
                folder = words[words.index("--export") + 1]
                assert folders.setdefault(folder, page) == page, f"{folder} is there already"
            if words[:2] == ["qpm-tuner", "search"] and "--recipe" in words:
                name = words[words.index("--name") + 1]
                changed = " ".join(word for word in words if "=" in word and not word.startswith("budget."))
                assert recipes.setdefault(name, changed) == changed, f"{page}: another recipe for {name}"
    assert {"picked", "chosen"} <= set(folders)
    assert len(recipes) > 3
