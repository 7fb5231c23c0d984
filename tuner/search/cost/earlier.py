"""Times of stages that other searches left in the store, for a search that has none of its own yet."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from tuner.recipe import Recipe, StageResources
from tuner.search.cost.guess import guess_s
from tuner.search.cost.sizes import Sizes, sizes_at
from tuner.search.cost.stage_times import StageTimes, Timed
from tuner.search.record.searched_banks import Bank, bank_keys
from tuner.search.stages import STAGES, of_a_trial
from tuner.store import Artifacts, CorruptArtifactError, Manifest
from tuner.store.store import for_each

MOST_READ = 24
ENOUGH = 8
"""Manifests of a stage that are read, and runs of it on the same data that suffice."""
MOST_ASKED = 500
"""Stages of a name that the store is asked for: a search of usual length with its confirmation runs."""

ADAPTER, TRAINING = ("width", "hidden", "n_layers"), ("epochs", "batch_size")
MOST = 1_000_000


def earlier_times(
    artifacts: Artifacts, bank: Bank, recipe: Recipe, sizes: Sizes, held: Mapping[str, StageResources]
) -> StageTimes:
    """Times of stages on the same data and the same kind of device; they may be of other settings and machines.

    Args:
        artifacts: of the store; a few manifests are read.
        bank: the feature bank.
        recipe: of the search; settings that a manifest does not tell are taken from it.
        sizes: of the data.
        held: what a run of each stage holds.
    """
    runs = []
    for stage in of_a_trial():
        found = (
            run
            for manifest in _manifests(artifacts, stage.kind)
            if (run := _timed(manifest, bank, recipe, sizes, held))
        )
        runs += list(islice(found, ENOUGH))
    return StageTimes.of(runs, "store")


def known_stages(artifacts: Artifacts, keys: Mapping[str, Iterable[str]], most: int = MOST_ASKED) -> frozenset[str]:
    """Which of these stages the store has; stages of which there are many are not asked for.

    Args:
        artifacts: of the store.
        keys: of each stage.
        most: the largest number of keys of a stage that is asked for.
    """

    def is_there(place: tuple[str, str]) -> bool:
        kind, key = place
        return artifacts.store.stat(f"{kind}/{key}/manifest.json") is not None

    asked = {stage: sorted(set(wanted)) for stage, wanted in keys.items()}
    places = [(STAGES[stage].kind, key) for stage, wanted in asked.items() if len(wanted) <= most for key in wanted]
    there = for_each(artifacts.store, is_there, places)
    return frozenset(key for (_, key), found in zip(places, there, strict=True) if found)


def _manifests(artifacts: Artifacts, kind: str) -> Iterable[Manifest]:
    names = (key for key in artifacts.store.list(f"{kind}/") if key.endswith("/manifest.json"))
    for name in islice(names, MOST_READ):
        try:
            manifest = artifacts.find(kind, name.removeprefix(f"{kind}/").partition("/")[0])
        except CorruptArtifactError:  # told by whoever needs it
            continue
        if manifest is not None:
            yield manifest


def _timed(
    manifest: Manifest, bank: Bank, recipe: Recipe, sizes: Sizes, held: Mapping[str, StageResources]
) -> Timed | None:
    """The run that made an artifact; None where it was on other data or another device, or its time is unknown."""
    meta, stage = manifest.meta, str(manifest.meta.get("stage"))
    inputs, took_s, made_with = meta.get("inputs"), meta.get("seconds"), meta.get("made_with")
    if not (isinstance(inputs, dict) and isinstance(made_with, dict) and stage in held):
        return None
    key = inputs.get("bank")
    if key not in bank_keys(bank) or not isinstance(took_s, int | float) or not 0 < took_s < 1e7:
        return None
    if STAGES[stage].runs_models and (made_with.get("device") == "cuda") != (held[stage].gpus > 0):
        return None
    settings = meta.get("settings")
    then = _as_then(recipe, settings if isinstance(settings, dict) else {})
    return Timed(stage, guess_s(stage, then, sizes_at(bank, sizes, str(key)), held[stage]), float(took_s))


def _as_then(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """The recipe with the numbers of a manifest that the guess depends on."""
    then = recipe.at({})
    for group, names in (("adapter", ADAPTER), ("dense", TRAINING), ("finetune", TRAINING)):
        told = settings.get(group)
        found: Mapping[str, Any] = told if isinstance(told, dict) else {}
        for name in names:
            value = found.get(name)
            if type(value) is int and 0 < value < MOST:
                setattr(getattr(then, group), name, value)
    return then
