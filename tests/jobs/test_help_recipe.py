"""`--help-recipe` names every field whole, however narrow the terminal is: a name that is cut cannot be typed."""

import pytest

from jobs import search
from tuner.recipe import describe_fields


@pytest.mark.parametrize("width", [60, 80, 160])
def test_every_field_can_be_read_and_typed(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit) as ended:
        search.main(["--help-recipe"])
    lines = capsys.readouterr().out.splitlines()
    assert ended.value.code == 0
    assert {line.split()[0] for line in lines if line[:1].strip()} >= {key for key, _, _ in describe_fields()}
    assert max(map(len, lines)) <= width
