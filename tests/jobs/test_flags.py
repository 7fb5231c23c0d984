"""Errors of the library name arguments; a command prints them as its own flags."""

import ast
import re
from pathlib import Path

import pytest

import tuner
from jobs import search
from jobs.flags import FLAGS, in_flags
from tuner.errors import UsageError


@pytest.mark.parametrize(
    ("library", "command"),
    [
        ("`take_over=True` takes it", "--take-over takes it"),
        ("leave out `learn_from`; or `learn_from=old`", "leave out --from; or --from old"),
        ("see `describe_fields()` for all", "see --help-recipe for all"),
        ("`other=1` and ordinary words, name=x", "`other=1` and ordinary words, name=x"),
    ],
)
def test_arguments_become_flags(library, command):
    assert in_flags(UsageError("a", "b", library)).todo == command


def test_every_flag_is_one_of_some_command():
    text = "".join(path.read_text() for path in Path(search.__file__).parent.glob("*.py") if path.stem != "flags")
    for flag in FLAGS.values():
        assert f'"{flag}"' in text, flag


def test_a_command_speaks_of_flags(tmp_path, capsys):
    assert search.main(["--store", str(tmp_path), "--name", "x"]) == 2
    assert "--recipe digits" in capsys.readouterr().err


# parts of whole commands
ADDRESS = ("--store ", " --name ", "--name ", "--recipe ", " --trial ", " --root ", " --from PLACE", " --from FOLDER")
OTHERS = ("mlflow server", "qpm-tuner", "--paper", "--shade", "hf download", "--local-dir")
OF_GIT = ("--verify", "--short=", "--porcelain", "--untracked-files=no")


@pytest.mark.slow
def test_no_message_of_the_library_speaks_of_a_flag():
    """But whole commands, the command line of another program, properties in style sheets, and documentation."""
    found = []
    for path in Path(tuner.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text())
        documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                other = any(name in node.value for name in OTHERS)
                other = other or node.value in {*ADDRESS, *OF_GIT}
                if re.search(r"(^|[\s`'(])--[a-z]", node.value) and not other:
                    found.append((path.name, node.value))
    assert found == []
