"""The licence of a backbone's weights: named when a search makes or finds its features, and kept with them."""

import contextlib
import dataclasses
import io

import pytest
from rich.console import Console

from tests.features.timm_networks import SHALLOW, write
from tuner.base.progress import ConsoleProgress
from tuner.recipe import load_recipe
from tuner.search.driver.run import SearchRequest, _begun
from tuner.search.execute.banks import ensure_bank
from tuner.search.outcome.origin import _licence
from tuner.search.record.home import SearchHome
from tuner.store import Artifacts, open_store

pytestmark = pytest.mark.slow
SAID = "the backbone's weights are under cc-by-nc-4.0, which forbids commercial use"


@dataclasses.dataclass
class Home:
    """What the report asks of a search's home here."""

    artifacts: Artifacts


def test_it_is_said_once_a_search_and_stands_in_the_report(tmp_path, monkeypatch):
    monkeypatch.setenv("QPM_TUNER_CACHE", str(tmp_path / "cache"))
    folder = write(tmp_path / "w", "vit_small_patch14_reg4_dinov2", {"license": "cc-by-nc-4.0"}, img_size=28, **SHALLOW)
    weights = f"backbone.weights={folder}"
    recipe = load_recipe("digits", ["backbone.name=timm", weights, "backbone.image_size=28"])
    artifacts = Artifacts(open_store(tmp_path / "store"))
    keys = []
    for what in ("made", "found"):
        out = io.StringIO()
        keys.append(ensure_bank(artifacts, recipe, ConsoleProgress(Console(file=out, width=400))))
        assert out.getvalue().count(SAID) == 1, what
    assert keys[0] == keys[1]
    assert artifacts.find("banks", keys[0]).meta["backbone_licence"] == "cc-by-nc-4.0"
    assert _licence(Home(artifacts), keys[0]) == f"cc-by-nc-4.0; {SAID}"
    assert _licence(Home(artifacts), "0" * 32) == ""
    space = "space.backbone.norm={choices: [true, false]}"
    searched = load_recipe("digits", ["backbone.name=timm", weights, "backbone.image_size=28", space])
    out, home = io.StringIO(), SearchHome(artifacts.store, "searched")
    with contextlib.ExitStack() as held:
        request = SearchRequest(artifacts.store, home.name, searched)
        _begun(home, request, ConsoleProgress(Console(file=out, width=400)), held)
    assert out.getvalue().count(SAID) == 1, "of two banks, which trials are to make"
