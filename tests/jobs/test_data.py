"""`qpm-tuner data`: what is printed, and what a mistake is told."""

import json
import re
from pathlib import Path

import pytest

from jobs import data
from tests.archives import MINIATURES, written
from tuner.data.load import load_dataset
from tuner.data.official.sources import SOURCES
from tuner.data.settings import DataConfig


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    """A folder with the miniature archives of flowers and cars."""
    for name in ("flowers", "cars"):
        written(MINIATURES[name](tmp_path), tmp_path / "archives")
    return tmp_path / "archives"


def test_the_list_has_terms_and_sizes(capsys: pytest.CaptureFixture[str]) -> None:
    assert data.main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in SOURCES)
    assert data.main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["data_sets"]
    assert [row["name"] for row in listed] == list(SOURCES)
    assert all(row["terms"] and row["page"] and row["archives"] for row in listed)


def test_flowers_by_one_command_and_again(archives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["fetch", "flowers", "--root", str(tmp_path / "my flowers"), "--from", str(archives), "--unchecked"]
    assert data.main(words) == 0
    printed = capsys.readouterr().out
    assert "terms: none stated" in printed
    assert "unpacked 102flowers.tgz, imagelabels.mat, setid.mat, 102segmentations.tgz" in printed
    assert "not checked against the publisher's MD5: 102flowers.tgz" in printed
    assert re.search(r"flowers\.csv: 12 images of 2 classes \(4 train, 2 val, 6 test\), 12 masks", printed)
    root = tmp_path / "my flowers"
    assert f"data.name=manifest 'data.root={root}' 'data.manifest={root}/flowers.csv'" in printed
    assert data.main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["unpacked"], told["absent"], told["images"]) == ([], [], 12)
    assert told["manifest"] == str(root / "flowers.csv")
    assert data.main(words) == 0
    assert "is complete: nothing to do" in capsys.readouterr().out


def test_cars_which_are_read_without_a_manifest(
    archives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "cars"
    assert data.main(["fetch", "cars", "--root", str(root), "--from", str(archives), "--unchecked"]) == 0
    printed = capsys.readouterr().out
    assert f"search it: qpm-tuner search --recipe cars --store runs --name cars data.root={root}\n" in printed
    assert not list(root.glob("*.csv"))
    assert len(load_dataset(DataConfig(name="cars", root=str(root)))) == 8


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["fetch"], "data fetch without a data set"),
        (["fetch", "pets"], "data fetch pets without --root"),
        (["fetch", "pet", "--root", "x"], "did you mean 'pets'"),
        (["manifest", "cub", "--root", "x"], "a manifest of cub"),
        (["manifest", "pets", "--root", "x", "--keep"], "data manifest with --from, --unchecked or --keep"),
        (["fetch", "pets", "--root", "x", "--crop"], "crop of pets"),
        (["fetch", "cub", "--root", "x", "--labels", "order"], "labels order of cub"),
        (["fetch", "pets", "--root", "x", "--from", "https://me:secret@host/"], "and every user here can read"),
        (["list", "pets"], "data list pets"),
        (["unpack", "pets"], "invalid choice"),
    ],
)
def test_mistakes(words: list[str], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert data.main(words) == 2
    error = capsys.readouterr().err
    assert what in error
    assert "secret" not in error
    assert "to do:" in error
    assert not list(tmp_path.rglob("*.csv"))
