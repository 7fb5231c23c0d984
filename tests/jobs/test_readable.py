"""What a command repeats of what was typed holds no password, and nothing that steers a terminal."""

import pytest

from jobs import doctor, front, pick, search

SECRET = "hunter-2"
ADDRESS = f"https://someone:{SECRET}@host"


@pytest.mark.parametrize(
    "words",
    [
        ["--name", "x", "--tracking", ADDRESS],
        ["--name", "x", ADDRESS],
        ["--name", "x", f"tracking.uri={ADDRESS}"],
        ["--name", "x", f"--token={SECRET}"],
    ],
)
def test_words_that_no_command_takes_are_repeated_without_passwords(words, capsys) -> None:
    assert front.main(words) == 2
    told = capsys.readouterr().err
    assert "unknown option" in told or "is unexpected" in told
    assert SECRET not in told


@pytest.mark.parametrize("trials", [ADDRESS, f"password={SECRET}", "\x1b[2J\u202e"])
def test_nor_is_a_value_of_the_wrong_type(trials, capsys) -> None:
    assert search.main(["--name", "x", "--trials", trials]) == 2
    told = capsys.readouterr().err
    assert "--trials" in told
    assert SECRET not in told
    assert all(sign.isprintable() for line in told.splitlines() for sign in line)


@pytest.mark.parametrize("command", [doctor, pick])
@pytest.mark.parametrize("address", [ADDRESS, f"https://host/?token={SECRET}", f"http%3A//a%3A{SECRET}%40host"])
def test_an_address_with_a_password_is_refused_on_the_command_line(command, address, tmp_path, capsys) -> None:
    code = command.main(["--store", str(tmp_path), "--name", "x", "--tracking-uri", address])
    told = capsys.readouterr().err
    assert code == 2
    assert "MLFLOW_TRACKING_URI" in told
    assert SECRET not in told


@pytest.mark.parametrize("override", ["space=\u202eabc", "dense=\u202eabc", "objectives=\u202e", "space.l1=\u2066x"])
def test_what_turns_a_line_around_is_spelt_out(override, tmp_path, capsys) -> None:
    assert search.main(["--recipe", "digits", "--store", str(tmp_path), "--name", "x", override]) == 2
    told = capsys.readouterr().err
    assert "\\u20" in told
    assert all(sign.isprintable() for line in told.splitlines() for sign in line)
