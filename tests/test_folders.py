"""Home and cache: one rule for all that is kept, and a word where the user has no home or the folder is not ours."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuner.base import folders
from tuner.base.folders import at_home, cache_root, home_path, made_folder
from tuner.data.fingerprint import Hasher
from tuner.data.load import load_dataset
from tuner.data.settings import DataConfig
from tuner.errors import TunerError, UsageError
from tuner.features.registry import make_backbone
from tuner.features.settings import BackboneConfig
from tuner.recipe import load_recipe
from tuner.store import Artifacts, open_store

ROOT = Path(__file__).parents[1]


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """A user with neither HOME nor an entry in the list of users, as in many containers."""

    def gone(uid):
        raise KeyError(uid)

    for name in ("HOME", "XDG_CACHE_HOME", "QPM_TUNER_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", gone)
    monkeypatch.setattr(folders.tempfile, "gettempdir", lambda: str(tmp_path))
    folders._homeless.cache_clear()
    yield tmp_path
    folders._homeless.cache_clear()


def test_one_rule_says_where_things_are_cached(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("QPM_TUNER_CACHE", raising=False)
    assert cache_root() == tmp_path / ".cache" / "qpm-tuner"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "qpm-tuner"
    monkeypatch.setenv("QPM_TUNER_CACHE", "~/own")
    assert cache_root() == tmp_path / "own"
    assert Hasher().memory == tmp_path / "own" / "digests.json"
    assert Artifacts(open_store(tmp_path / "store")).cache.folder == tmp_path / "own" / "artifacts"


def test_without_a_home_the_cache_is_private_and_a_warning_says_where(homeless, caplog):
    folder = cache_root()
    assert folder == homeless / f"qpm-tuner-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert cache_root() == folder
    assert [record.message.count(str(folder)) for record in caplog.records] == [1]
    assert "HOME" in caplog.text


@pytest.mark.parametrize("how", ["open", "link", "file"])
def test_a_temporary_folder_that_somebody_else_may_have_made_is_not_used(homeless, how):
    place = homeless / f"qpm-tuner-{os.getuid()}"
    if how == "open":
        place.mkdir()
        place.chmod(0o777)
    elif how == "link":
        (homeless / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(homeless / "elsewhere")
    else:
        place.write_text("")
    with pytest.raises(TunerError, match="QPM_TUNER_CACHE"):
        cache_root()


@pytest.mark.parametrize("setting", ["root", "masks", "split_file"])
def test_without_a_home_a_path_at_home_is_refused_by_its_name(homeless, setting):
    with pytest.raises(UsageError, match=rf"data\.{setting}=~/x.*(\n.*)*HOME"):
        load_dataset(DataConfig("folder", **({"root": "/x"} | {setting: "~/x"})))
    with pytest.raises(UsageError, match="HOME"):
        make_backbone(BackboneConfig("efficientnet_lite2", weights="~/x"), "folder")
    for opened in (
        lambda: open_store("~/runs"),
        lambda: load_recipe("~/r.yaml"),
        lambda: home_path("~nobody-here", "x"),
    ):
        with pytest.raises(UsageError, match="HOME"):
            opened()


def test_a_path_at_home_stays_as_typed_in_the_recipe_and_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_recipe("folder", ["data.root=~/photos"]).data.root == "~/photos"
    with pytest.raises(TunerError, match=str(tmp_path / "photos")):
        load_dataset(load_recipe("folder", ["data.root=~/photos"]).data)
    with pytest.raises(TunerError, match=str(tmp_path / "w.pth")):
        make_backbone(BackboneConfig("efficientnet_lite2", weights="~/w.pth"), "folder")
    (tmp_path / "r.yaml").write_text("title: mine")
    assert load_recipe("~/r.yaml").title == "mine"
    assert [at_home(text, "x") for text in ("", "a/~", "facebook/dinov2")] == ["", "a/~", "facebook/dinov2"]


def test_a_folder_that_cannot_be_made_names_the_variable(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TunerError, match="QPM_TUNER_CACHE"):
        made_folder(tmp_path / "file" / "cache")
    assert made_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    assert Path(tmp_path / "a" / "b").is_dir()


@pytest.mark.slow
def test_all_that_is_cached_lies_in_the_folder_that_is_named(tmp_path):
    """A whole extraction, with a home of its own: digests, partial banks, downloads."""
    for number in range(8):
        path = tmp_path / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((16, 16, 3), 20 * number, np.uint8)).save(path)
    places = {"HOME": tmp_path / "home", "XDG_CACHE_HOME": tmp_path / "xdg", "QPM_TUNER_CACHE": tmp_path / "own"}
    for name in ("home", "xdg"):
        (tmp_path / name).mkdir()
    words = ["--recipe", "folder", "--store", str(tmp_path / "runs"), f"data.root={tmp_path / 'images'}"]
    words += ["backbone.name=patch_dictionary", "backbone.image_size=0"]
    environment = os.environ | {name: str(place) for name, place in places.items()}
    subprocess.run([sys.executable, "-m", "jobs.extract", *words], env=environment, cwd=ROOT, check=True)
    assert (tmp_path / "own" / "digests.json").is_file()
    assert [path for name in ("home", "xdg") for path in (tmp_path / name).rglob("*") if path.is_file()] == []
