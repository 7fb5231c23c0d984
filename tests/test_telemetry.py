"""Nothing calls out unasked: libraries that report on their users are told not to before they are imported."""

import os
import sys

import pytest
import ray

from tuner.errors import TunerError
from tuner.features.dinov2_weights import package
from tuner.recipe import ResourcesConfig
from tuner.search.session.connect import connect_ray
from tuner.tracking.connection import prepare

SWITCHES = ("RAY_USAGE_STATS_ENABLED", "MLFLOW_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")


class Seen(ImportError):
    """The library was about to be used."""


@pytest.fixture
def at_import(monkeypatch):
    """The environment when a library was imported first, by name; none of them is."""
    environments = {}

    class Finder:
        def find_spec(self, name, path=None, target=None):
            if name in ("mlflow", "transformers", "huggingface_hub"):
                environments[name] = dict(os.environ)
                raise Seen(name)

    for name in SWITCHES:
        monkeypatch.delenv(name, raising=False)
    for name in ("mlflow", "transformers", "huggingface_hub"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    return environments


def test_mlflow_is_told_before_it_is_imported(at_import):
    with pytest.raises(Seen):
        prepare("http://127.0.0.1:9", None)
    assert at_import["mlflow"]["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_the_hub_is_told_before_it_is_imported(at_import):
    with pytest.raises(Exception, match="transformers"):
        package("transformers")
    assert at_import["transformers"]["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert "HF_HUB_DISABLE_TELEMETRY" not in os.environ, "the user's own environment is left as it was"


def test_ray_is_told_before_it_starts(monkeypatch):
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    told = {}

    def init(*_, **__):
        told.update(os.environ)
        raise Seen

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(TunerError, match="Seen"), connect_ray(ResourcesConfig()):
        pass
    assert told["RAY_USAGE_STATS_ENABLED"] == "0"
