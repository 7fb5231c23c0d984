"""The drawing of a trial's life names files and functions that are there."""

import re
from pathlib import Path

import tuner.search

DRAWING = Path(__file__).parents[2] / "docs" / "explanation" / "life-of-a-trial.mmd"
SEARCH = Path(tuner.search.__file__).parent


def test_every_file_in_the_drawing_exists():
    drawing = DRAWING.read_text()
    files = re.findall(r"as (\w+/\w+\.py)", drawing)
    assert len(files) == 9
    assert [file for file in files if not (SEARCH / file).is_file()] == []


def test_every_call_in_the_drawing_is_a_function_or_method_of_who_is_called():
    drawing = DRAWING.read_text()
    file_of = dict(re.findall(r"participant (\w+) as (\w+/\w+\.py)", drawing))
    called = 0
    for who, words in re.findall(r"->>(\w+): ([^\n]+)", drawing):
        for name in re.findall(r"\b([a-z]+_[a-z_]+|use|begin|expect|forget|outcome)\b(?=\(|,|$|:)", words):
            if who in file_of and name not in ("train_dense",):
                called += 1
                assert re.search(rf"def {name}\b", (SEARCH / file_of[who]).read_text()), f"{who}: {name}"
    assert called >= 10
