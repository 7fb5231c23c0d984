"""A feature bank is made once, also when two searches on one machine want it at the same time."""

import dataclasses
import io
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from tuner.base.progress import ConsoleProgress, Silent
from tuner.data.load import load_dataset
from tuner.errors import UsageError
from tuner.features import extract
from tuner.features.extract import bank_key
from tuner.recipe import load_recipe
from tuner.search.execute import banks
from tuner.search.execute.banks import ensure_bank
from tuner.search.systems.system import Tokens
from tuner.store import Artifacts, open_store


@pytest.mark.slow
def test_two_searches_that_extract_the_same_bank_do_not_disturb_each_other(tmp_path, monkeypatch):
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "cache"))
    pixels = np.random.default_rng(0).integers(0, 256, (16, 24, 24, 3), dtype=np.uint8)
    for number, image in enumerate(pixels):
        file = tmp_path / "photos" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    small = ["backbone.name=patch_dictionary", "backbone.n_atoms=8", "backbone.image_size=24", "backbone.grid=4"]
    recipe = load_recipe("folder", [f"data.root={tmp_path / 'photos'}", *small])
    stores = [Artifacts(open_store(tmp_path / name)) for name in ("one", "two", "two")]

    def made(artifacts):
        return ensure_bank(artifacts, recipe, Silent())

    with ThreadPoolExecutor(3) as pool:
        keys = list(pool.map(made, stores))
    assert len(set(keys)) == 1
    assert all(artifacts.fetch("banks", keys[0]).is_dir() for artifacts in stores)
    assert not list((tmp_path / "cache" / "extract").glob("*/"))


@pytest.mark.slow
def test_two_machines_with_one_store_extract_a_bank_once(tmp_path, monkeypatch):
    """Their caches, and so their locks, are apart; the claim in the store is not."""
    recipe = load_recipe("digits", ["backbone.n_atoms=8", "backbone.grid=4"])
    store, extracted, begun = open_store(tmp_path / "store"), [], threading.Event()
    extract = banks._extract

    def slowly(artifacts, source, folder, progress, resources):
        extracted.append(folder)
        begun.set()
        time.sleep(1.0)
        extract(artifacts, source, folder, progress, resources)

    monkeypatch.setattr(banks, "_extract", slowly)
    machines = iter(["one", "two"])
    monkeypatch.setattr(banks, "cache_root", lambda: tmp_path / next(machines))
    consoles = [Console(file=io.StringIO(), width=200) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(ensure_bank, Artifacts(store), recipe, ConsoleProgress(consoles[0]))
        begun.wait(60)
        second = pool.submit(ensure_bank, Artifacts(store), recipe, ConsoleProgress(consoles[1]))
        assert first.result() == second.result()
    assert len(extracted) == 1
    assert re.search(r"waiting for \S+ pid \d+, which is extracting the same features", consoles[1].file.getvalue())
    assert list(store.list("claims/")) == []


@pytest.mark.slow
def test_one_that_died_while_it_extracted_is_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "cache"))
    recipe, store = load_recipe("digits", ["backbone.n_atoms=8", "backbone.grid=4"]), open_store(tmp_path / "store")
    code = (
        "import sys, os, signal; from tuner.store import Claims, open_store; from tuner.search.record.holder import *;"
    )
    code += "Claims(open_store(sys.argv[1]), this_driver()).take([('banks', sys.argv[2])]); os.kill(os.getpid(), 9)"
    dead = subprocess.run([sys.executable, "-c", code, store.url, bank_key(recipe.data, recipe.backbone)], check=False)
    assert dead.returncode == -signal.SIGKILL
    assert list(store.list("claims/banks/")) != []
    began_s = time.monotonic()
    key = ensure_bank(Artifacts(store), recipe, Silent())
    assert Artifacts(store).find("banks", key) is not None
    assert time.monotonic() - began_s < 50.0, "it died on this machine, so nobody waits until it was silent for long"


@pytest.mark.slow
@pytest.mark.parametrize("loaded", [False, True], ids=["not loaded yet", "loaded by the driver"])
def test_the_data_set_is_loaded_once_for_key_and_extraction(tmp_path, monkeypatch, loaded):
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "cache"))
    recipe = load_recipe("digits", ["backbone.n_atoms=8", "backbone.grid=4"])
    artifacts = Artifacts(open_store(tmp_path / "store"))
    dataset, loads = load_dataset(recipe.data) if loaded else None, []

    def counted(data):
        loads.append(data.name)
        return load_dataset(data)

    monkeypatch.setattr(extract, "load_dataset", counted)
    key = ensure_bank(artifacts, recipe, Silent(), dataset)
    assert artifacts.find("banks", key) is not None
    assert loads == ([] if loaded else ["digits"])
    assert key == bank_key(recipe.data, recipe.backbone)


def test_a_bank_made_before_parts_were_read_is_used_and_what_it_lacks_is_told(tmp_path):
    digits = load_dataset(load_recipe("digits").data)
    dataset = dataclasses.replace(digits, parts=np.ones((len(digits), 2, 3), np.float32))
    recipe, artifacts = load_recipe("digits"), Artifacts(open_store(tmp_path / "store"))
    key = extract.BankSource(recipe.data, recipe.backbone, dataset).key
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "labels.npy").write_bytes(b"old")
    artifacts.publish("banks", key, tmp_path / "old", {"n_classes": 10, "dim": 8})
    console = Console(file=io.StringIO(), width=200)
    assert ensure_bank(artifacts, recipe, ConsoleProgress(console), dataset) == key
    assert "metrics of parts are left out" in console.file.getvalue()
    wanting = load_recipe("digits", ["objectives=[accuracy, purity]"])
    with pytest.raises(UsageError, match="made before parts of objects were read, which the objective purity needs"):
        ensure_bank(artifacts, wanting, Silent(), dataset)
    assert Tokens.of(artifacts, key).not_looked_for == ("parts",)
    artifacts.publish("banks", "new", tmp_path / "old", {"n_classes": 10, "dim": 8, "looked_for": ["parts"]})
    assert Tokens.of(artifacts, "new").not_looked_for == ()
