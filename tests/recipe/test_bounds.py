"""A recipe of any letters is read or refused soon, in little memory: from a file, an override, or the store."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.ledgers import finished, home_with
from tuner.data.tables import read_csv
from tuner.errors import TunerError, UsageError
from tuner.recipe import load_recipe, nodes, parse_recipe


def ints(low: int) -> str:
    return ", ".join(map(str, range(low, low + 1200)))


SIZES = (("width", 1), ("n_features", 5000), ("features_per_class", 1))
BOMBS = {
    "deep lists": "objectives: " + "[" * 10_000,
    "closed deep lists": "objectives: " + "[" * 900 + "]" * 900,
    "deep mappings": "{space: " * 10_000,
    "deep blocks": "- " * 10_000,
    "many values": "objectives: [" + "a," * 200_000 + "]",
    "many keys": "".join(f"k{n}: 1\n" for n in range(40_000)),
    "many choices": "space: {dense.lr: {choices: [" + ", ".join(f"{n}.5" for n in range(9_000)) + "]}}",
    "cube of choices": "space: {" + ", ".join(f"{name}: {{choices: [{ints(low)}]}}" for name, low in SIZES) + "}",
    "aliases": "objectives: [&a [x, x], *a]",
    "merge": "dense: &a {epochs: 3}\nfinetune: {<<: *a}",
    "letters": "title: " + "a" * 2_000_000,
    "long title": "title: " + "a" * 100_000,
    "long name": "a" * 900 + ": 1",
    "digits": "seed: " + "9" * 400_000,
    "steps": "space: {dense.lr: {low: 0, high: 1.0e+308, step: 1.0e-300}}",
    "blanks": "title: 'a" + " " * 400_000 + "b'",
    "lines": "title: 'a" + "\n" * 400_000 + "b'",
    "comments": "# a\n" * 100_000 + "- a",
    "tags": "%TAG !a! b\n" * 40_000,
    "documents": "---\n" * 100_000,
    "colons": "title: " + ":a" * 200_000,
    "password-like": "title: " + "token" * 80_000,
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_what_a_recipe_costs_to_refuse_is_bounded(text: str) -> None:
    began = time.process_time()
    with pytest.raises(UsageError) as error:
        parse_recipe(text)
    assert len(str(error.value)) < 4000
    with pytest.raises(UsageError):
        load_recipe("digits", [f"space={text}"])
    assert time.process_time() - began < 10


@pytest.mark.slow
def test_the_largest_recipe_is_read_in_little_memory() -> None:
    lines = """
import resource
from tuner.recipe import nodes, parse_recipe
resource.setrlimit(resource.RLIMIT_AS, (600_000_000, 600_000_000))
text = "space: {dense.lr: {choices: [" + ", ".join(f"{n}.5" for n in range(3_900)) + "]}}"
recipe = parse_recipe(text)
assert parse_recipe(recipe.to_yaml()) == recipe and len(recipe.to_yaml()) < nodes.LONGEST
"""
    assert nodes.MOST > 2 * 3_900
    assert subprocess.run([sys.executable, "-c", lines], check=False, cwd=Path(__file__).parents[2]).returncode == 0


@pytest.fixture
def odd_files(tmp_path: Path) -> dict[str, Path]:
    files = {name: tmp_path / name for name in ("pipe", "folder", "utf16", "nul", "large")}
    os.mkfifo(files["pipe"])
    files["folder"].mkdir()
    files["utf16"].write_bytes("title: x".encode("utf-16"))
    files["nul"].write_bytes(b"title: a\0b")
    with files["large"].open("wb") as file:
        file.truncate(20_000_000_000)  # sparse
    return {**files, "zero": Path("/dev/zero"), "nobody": tmp_path / "nobody", "loop": loop(tmp_path)}


def loop(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


@pytest.mark.slow
def test_a_recipe_or_table_that_is_no_small_file_is_refused_at_once(odd_files: dict[str, Path]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, path in odd_files.items():
        with pytest.raises(UsageError) as error:
            load_recipe(str(path))
        assert all(error.value.args), name
        if name != "utf16":  # which is how spreadsheets save tables
            with pytest.raises(TunerError):
                read_csv(path, ("path", "split"), "restore it")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 900_000  # KB; 256 MB of a sparse table


@pytest.mark.parametrize(
    "content",
    [
        b"recipe: &a [" + b"[" * 5000,
        b"a: &a [x, x]\nb: &b [*a, *a]\nrecipe: {objectives: *b}",
        b"recipe: {title: !!python/object/apply:os.system [true]}\nbank: x\nversions: {}\ncode: {}",
        b"recipe: {seed: " + b"9" * 5000 + b"}\nbank: x\nversions: {}\n",
        b"recipe: {title: 2026-13-45, seed: 2026-11-25}\nbank: x\nversions: {}\n",
        b"recipe: {}\nbank: 2026-13-45\nversions: {a: !!binary aGk=}\n",
        b"recipe: {}\nbank: x\nversions: {? [a] : b}\n",
        b"recipe: {}\nrecipe: {}\nbank: x\nversions: {}\n",
        b"recipe: {}\nbank: x\nversions: []\ncode: 0x" + b"f" * 5000,
        "recipe: {}".encode("utf-16"),
        b"\xff\xfe\x00",
        b"",
        b"x" * 3_000_000,
    ],
)
def test_a_stored_recipe_that_somebody_changed_is_refused_in_three_parts(tmp_path: Path, content: bytes) -> None:
    home = home_with(tmp_path, finished())
    home.store.put(home.key("recipe.yaml"), content)
    with pytest.raises(TunerError) as error:
        home.stored()
    assert all(error.value.args)
    assert len(str(error.value)) < 4000


def test_texts_of_a_stored_recipe_come_back_as_they_were(tmp_path: Path) -> None:
    title = "2026-11-25 ${oc.env:HOME} é # no: \U0001f426"
    home = home_with(tmp_path, finished(), f"title={title}", "data.root=2026-11-25", "data.masks=no")
    stored = home.stored()[0]
    assert (stored.title, stored.data.root, stored.data.masks) == (title, "2026-11-25", "no")


@pytest.mark.parametrize("letter", ["\0", "\x07", "\x1b[2J", "\x7f", "\x9b", "\ud800"])
def test_a_text_holds_nothing_that_a_terminal_obeys(letter: str) -> None:
    for field in ("title", "data.root", "tracking.uri"):
        with pytest.raises(UsageError, match="control characters") as error:
            load_recipe("digits", [f"{field}=a{letter}b"])
        assert letter not in str(error.value)
