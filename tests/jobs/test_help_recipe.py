"""`--help-recipe` names every field whole, however narrow the terminal is: a name that is cut cannot be typed."""

import pytest

from jobs import search
from tuner.recipe import fields


def printed(width, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(SystemExit) as ended:
        search.main(["--help-recipe"])
    assert ended.value.code == 0
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [40, 60, 80, 160])
def test_every_field_can_be_read_and_typed(width, capsys, monkeypatch):
    lines = printed(width, capsys, monkeypatch)
    assert [line.split()[0] for line in lines if line[:1].strip()] == [field.name for field in fields()]
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("width", [40, 160])
def test_the_meaning_is_whole_with_choices_and_bounds(width, capsys, monkeypatch):
    text = " ".join(" ".join(printed(width, capsys, monkeypatch)).split())
    for field in fields():
        assert field.meaning
        assert field.meaning in text, field.name
        assert field.allowed in text
    assert "validation_fraction = 0.2 share of each class's training images held out [0.01 to 0.9]" in text
    assert "[one of validation, paper]" in text
    assert "[0 or more, or -1]" in text, "resources.dense.gpus"
    assert "(or n_features)" in text
