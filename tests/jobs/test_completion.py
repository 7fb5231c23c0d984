"""What a shell is offered on Tab, asked as argcomplete's shell code asks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import jobs
from tests.ledgers import home_with

ROOT = Path(jobs.__file__).parents[1]
PROGRAM = "import sys; sys.argv = ['qpm-tuner']; import jobs; sys.exit(jobs.main())"


def offered(line, folder):
    """The words for the end of a command line."""
    answer = folder / "answer"
    asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "PYTHONPATH": str(ROOT)}
    asked |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(answer), "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, cwd=folder, env=os.environ | asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {word.strip() for word in answer.read_text().split("\v")}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("qpm-tuner s", {"search", "status"}),
        ("qpm-tuner front --ob", {"--objectives"}),
        ("qpm-tuner front --name x --objectives accur", {"accuracy"}),
        ("qpm-tuner pick --within 1.0 accur", {"accuracy"}),
        ("qpm-tuner pick --at-most features_per_class=3 --at-most wid", {"width="}),
        ("qpm-tuner search --recipe cu", {"cub", "cub50"}),
        ("qpm-tuner extract --recipe di", {"digits"}),
        ("qpm-tuner search validation_fr", {"validation_fraction="}),
        ("qpm-tuner search n_fea", {"n_features="}),
        ("qpm-tuner search protocol=", {"protocol=validation", "protocol=paper"}),
        ("qpm-tuner status --store kept --name ", {"made-up"}),
        ("qpm-tuner doctor --store kept --name m", {"made-up"}),
        ("qpm-tuner status --store s3://bucket/kept --name m", {""}),
    ],
)
def test_what_is_offered(line, words, tmp_path):
    home_with(tmp_path / "kept", [])
    assert offered(line, tmp_path) == words


def test_the_marker_of_global_completion_is_where_it_is_looked_for():
    assert "PYTHON_ARGCOMPLETE_OK" in Path(jobs.__file__).read_text()[:1024]
