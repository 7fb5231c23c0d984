"""The README's library example, run exactly as printed."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
def test_the_library_example_runs_as_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"runs this block -->\n```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 1
    exec(compile(blocks[0], str(README), "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert "accuracy" in printed[0]
    assert len(printed) == 4  # gap and metrics, then three features


def test_every_command_of_the_readme_exists():
    import jobs

    named = set(re.findall(r"python -m jobs\.(\w+)", README.read_text(encoding="utf-8")))
    assert named - {"NAME"} <= set(jobs.NAMES)
