"""What guides and cluster files tell people to type is understood: commands, options, recipe fields."""

import importlib

import pytest

from tests.cluster.shown import ROOT, commands
from tuner.recipe import load_recipe

SHOWN = {
    "docs/how-to/clusters.md": {"search", "status", "front", "trial", "control", "pick", "doctor"},
    "ray_cluster.yaml": {"search"},
    "cluster/kuberay.yaml": {"search"},
    "cluster/skypilot.yaml": {"search"},
}


@pytest.mark.parametrize("path", SHOWN)
def test_the_commands_that_are_shown_are_understood(path: str) -> None:
    found = commands(ROOT / path)
    assert {name for name, _ in found} == SHOWN[path]
    for name, words in found:
        understood = importlib.import_module(f"jobs.{name}").arguments().parse_args(words)
        if name == "search":
            recipe = load_recipe(understood.recipe, understood.overrides)
            assert recipe.data.root.startswith("s3://") or recipe.data.name == "digits"
            assert understood.store.startswith("s3://")
