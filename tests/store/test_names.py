"""Names of people and keys of the store: the dull ones pass, everything clever does not."""

import pytest

from tuner.errors import UsageError
from tuner.store.names import check_key, check_name, check_prefix


@pytest.mark.parametrize("name", ["digits", "cub-2011", "a", "0", "Run_3.1", "x" * 100])
def test_plain_names_pass(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a..b",
        "../../etc/passwd",
        "/absolute",
        "a/b",
        "a\\b",
        "C:",
        "-rf",
        ".hidden",
        "trailing.",
        "nul\0",
        "line\n",
        "tab\t",
        "space here",
        "\uff0e\uff0e",  # fullwidth full stops
        "\u2025",  # two dot leader
        "abc\u202etxt",  # right-to-left override
        "a\u2215b",  # division slash
        "a\u2044b",  # fraction slash
        "a\uff0fb",  # fullwidth solidus
        "\u0430dmin",  # Cyrillic a
        "zero\u200bwidth",
        "u\u0308",
        "\u0663",  # a digit, but not ours
        "x" * 101,
        "$(id)",
        "%2e%2e",
    ],
)
def test_others_are_refused_in_ascii(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(name)
    assert str(caught.value).isascii()
    assert "\n" not in caught.value.what
    assert "\0" not in caught.value.what


def test_keys() -> None:
    assert check_key("banks/0f/patches.npy") == "banks/0f/patches.npy"
    assert check_prefix("") == ""
    assert check_prefix("searches/digits/led") == "searches/digits/led"
    for key in ("a/" * 500 + "a", "a/\uff0e\uff0e/b", "a/b\n"):
        with pytest.raises(UsageError):
            check_key(key)
        with pytest.raises(UsageError):
            check_prefix(key)
