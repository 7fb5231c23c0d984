"""Modules that have moved are found under their old names, with a warning, and are the same modules."""

import importlib
import subprocess
import sys
import warnings

import pytest

from tuner.renamed import NAMESAKES, RENAMED


@pytest.mark.parametrize("old", sorted(RENAMED))
def test_an_old_name_is_the_moved_module_with_a_warning(old: str) -> None:
    with pytest.warns(FutureWarning, match=f"{old} is now {RENAMED[old]}"):
        module = importlib.import_module(old)
    try:
        assert module is sys.modules[RENAMED[old]]
        assert module.__spec__.name == RENAMED[old], "it stays what it is"
    finally:
        del sys.modules[old]


@pytest.mark.slow
@pytest.mark.parametrize("old", sorted(NAMESAKES))
def test_an_old_module_named_like_its_function_is_both(old: str) -> None:
    name = old.rpartition(".")[2]
    code = (
        f"import warnings; warnings.simplefilter('ignore'); import tuner.qpm; before = tuner.qpm.{name}\n"
        f"from {old} import {name}; import {old}\n"
        f"from tuner.qpm import {name} as after\n"
        f"print({name} is before, callable(after), after.__module__ == '{NAMESAKES[old]}' or after.{name} is before)\n"
        f"try: after()\n"
        f"except TypeError as error: print('{name}()' in str(error))"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert ran.stdout.split() == ["True"] * 4
    warned = subprocess.run([sys.executable, "-W", "error", "-c", f"import {old}"], check=False, capture_output=True)
    assert f"{old} is now {NAMESAKES[old]}".encode() in warned.stderr


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("tuner.store", "MissingKey", "tuner.store.MissingKeyError"),
        ("tuner.search.stages", "StageBroker", "tuner.search.execute.broker.StageBroker"),
        ("tuner.features.backbone", "make_backbone", "tuner.features.registry.make_backbone"),
    ],
)
def test_old_names_inside_a_module_are_understood(module: str, old: str, new: str) -> None:
    holder = importlib.import_module(module)
    place, _, name = new.rpartition(".")
    with pytest.warns(FutureWarning, match=rf"{module}\.{old} is now .*{name}; the old name goes in version 0\.3"):
        found = getattr(holder, old)
    assert found is getattr(importlib.import_module(place), name)
    with pytest.raises(AttributeError, match="Nonsense"):
        _ = holder.Nonsense


def test_new_names_and_wrong_ones_are_left_alone() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.import_module("tuner.search.record.home")
    with pytest.raises(ModuleNotFoundError, match=r"tuner\.search\.nonsense"):
        importlib.import_module("tuner.search.nonsense")
