"""A model folder by somebody else, wrong in every way we can think of: refused in three parts, or as good as before."""

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.exported import Exported, export_digits, written
from tests.mutations import Mutation, attempt, changed, mutations
from tuner.card import CARD
from tuner.errors import TunerError
from tuner.model import load_model

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
EVERY = 1 if os.environ.get("LONG") else 16  # all of them by `make long`


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return export_digits(tmp_path_factory.mktemp("exported"))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (path,) = written(tmp_path_factory.mktemp("image"), [np.random.default_rng(0).integers(0, 256, (8, 8, 3))])
    return path


def explained(folder: Path, image: Path) -> dict[str, Any]:
    (prediction,) = load_model(folder, device="cpu").predict([image])
    assert prediction.sentence()
    return prediction.to_dict()


def sealed(folder: Path) -> None:
    """What somebody does who means it: the card's sums are those of the changed files."""
    try:
        card = json.loads((folder / CARD).read_text())
        for name in card["files"]:
            card["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        (folder / CARD).write_text(json.dumps(card))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # there is nothing to seal


def is_finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    if isinstance(value, list):
        return all(map(is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def fault(found: Any, mutation: Mutation, folder: Path, usual: dict[str, Any], *, resealed: bool) -> str:
    """What is wrong with how a changed folder was received, if anything."""
    if isinstance(found, TunerError):
        told = (found.what, found.expected, found.todo)
        names = str(folder) in found.what and all(told) and all(c.isprintable() for c in found.what)
        return "" if names else f"said {found.what!r}"
    if isinstance(found, BaseException):
        return f"{type(found).__name__}: {str(found)[:200]}"
    if not is_finite(found):
        return "an answer that is not finite"
    same = json.dumps(found) == json.dumps(usual)
    return "" if same or resealed or mutation.label.startswith(f"{CARD}: class_names") else "another answer"


@pytest.mark.parametrize("resealed", [False, True], ids=["damaged", "on purpose"])
def test_whatever_is_wrong_with_a_folder_is_told_in_three_parts_and_soon(exported, image, tmp_path, resealed):
    usual = explained(exported.folder, image)
    faults, told, tried = [], 0, list(mutations(exported.folder))
    for mutation in tried[resealed::EVERY]:
        folder = changed(exported.folder, mutation, tmp_path / "work")
        if resealed and not any(path.is_fifo() or path.is_symlink() for path in folder.iterdir()):
            sealed(folder)
        found = attempt(lambda folder=folder: explained(folder, image))
        told += isinstance(found, TunerError)
        if wrong := fault(found, mutation, folder, usual, resealed=resealed):
            faults.append(f"{mutation.label}: {wrong}")
    print(f"{len(tried[resealed::EVERY])} of {len(tried)} changes, {told} refused, {len(faults)} received badly")
    assert not faults, "\n".join(faults)
    assert told > 0.5 * len(tried[resealed::EVERY])
