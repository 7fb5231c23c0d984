"""Modules that have moved are found under their old names, with a warning, and are the same modules."""

import importlib
import sys
import warnings

import pytest

from tuner.renamed import RENAMED


@pytest.mark.parametrize("old", sorted(RENAMED))
def test_an_old_name_is_the_moved_module_with_a_warning(old: str) -> None:
    with pytest.warns(FutureWarning, match=f"{old} is now {RENAMED[old]}"):
        module = importlib.import_module(old)
    try:
        assert module is sys.modules[RENAMED[old]]
        assert module.__spec__.name == RENAMED[old], "it stays what it is"
    finally:
        del sys.modules[old]


def test_new_names_and_wrong_ones_are_left_alone() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.import_module("tuner.search.record.home")
    with pytest.raises(ModuleNotFoundError, match=r"tuner\.search\.nonsense"):
        importlib.import_module("tuner.search.nonsense")
