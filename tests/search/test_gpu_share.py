"""What stages hold of a GPU follows from recipe and cluster, not from who happened to work just before."""

import pytest

from tuner.errors import UsageError
from tuner.recipe import ResourcesConfig, StageResources
from tuner.search.session.connect import settle_resources
from tuner.search.session.gpu_share import VARIABLE

BUSY, IDLE = {"CPU": 16.0, "GPU": 2.0}, {}  # the same cluster, with its workers up and gone


def shares(have: dict[str, float], *, grows: bool = True, **asked: StageResources) -> dict[str, float]:
    return {name: held.gpus for name, held in settle_resources(ResourcesConfig(**asked), have, grows=grows).items()}


def test_a_cluster_that_says_its_share_gives_it_whether_its_workers_are_up_or_not(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.5")
    held = shares(IDLE)
    assert held == shares(BUSY)
    assert (held["dense"], held["assign"], held["finetune"], held["evaluate"]) == (0.5, 0.0, 0.5, 0.5)


def test_what_the_recipe_says_goes_first(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.5")
    held = shares(IDLE, dense=StageResources(2.0, 0.25), evaluate=StageResources(1.0, 0.0))
    assert (held["dense"], held["finetune"], held["evaluate"]) == (0.25, 0.5, 0.0)


@pytest.mark.parametrize(("have", "share"), [(BUSY, 1.0), (IDLE, 0.0)])
def test_without_a_word_it_is_what_is_there(have, share, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert shares(have)["dense"] == share


def test_a_machine_without_a_gpu_that_stays_as_it_is_has_no_share(monkeypatch):
    monkeypatch.setenv(VARIABLE, "0.5")
    assert shares({"CPU": 2.0}, grows=False)["dense"] == 0.0
    assert shares({"CPU": 2.0, "GPU": 1.0}, grows=False)["dense"] == 0.5


@pytest.mark.parametrize("asked", ["half", "1.5", "-1", "nan", "inf", "2"])
def test_a_share_that_is_none_is_refused(asked, monkeypatch):
    monkeypatch.setenv(VARIABLE, asked)
    with pytest.raises(UsageError, match=VARIABLE) as caught:
        shares(BUSY)
    assert asked in caught.value.what
    assert "0.5" in caught.value.todo
