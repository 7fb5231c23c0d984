"""Where a search's numbers come from: its command, its settings beside their defaults, versions and machines."""

from collections.abc import Iterable

from tuner.base.text import readable
from tuner.errors import TunerError
from tuner.features.licences import licence_note
from tuner.front.pareto import Point
from tuner.recipe import Recipe
from tuner.report.analysis_views import Origin, Setting
from tuner.search.outcome.repeat import repeat_command, settings
from tuner.search.record.home import SearchHome
from tuner.search.record.searched_banks import Bank, bank_keys
from tuner.search.stages import model_stage

MOST_MODELS = 20  # whose machines are looked up


def origin_of(home: SearchHome, recipe: Recipe, bank: Bank, members: Iterable[Point]) -> Origin:
    """All of it; the machines are those that trained the members."""
    usual, own = settings(Recipe()), settings(recipe)
    made = [Setting(name, value, usual.get(name)) for name, value in own.items()]
    facts = {
        "store": home.store.url,
        **home.origin(),
        "trained on": _machines(home, members),
        "feature bank": ", ".join(bank_keys(bank)),
        "licence of the backbone's weights": ", ".join(
            dict.fromkeys(filter(None, (_licence(home, key) for key in bank_keys(bank))))
        ),
    }
    return Origin(
        repeat_command(recipe, home.store.url, home.name),
        {name: text for name, text in {**facts, **home.versions()}.items() if text},
        [setting for setting in made if setting.value != setting.default],
        [setting for setting in made if setting.value == setting.default],
    )


def _licence(home: SearchHome, bank: str) -> str:
    """The licence of the backbone's weights, and what it says in words; empty if there is nothing to say."""
    try:
        manifest = home.artifacts.find("banks", bank)
    except TunerError:  # a damaged artifact is reported where it is needed
        return ""
    licence = None if manifest is None else manifest.meta.get("backbone_licence")
    if not isinstance(licence, str):  # no weights, or a bank of an earlier version
        return ""
    return "; ".join(filter(None, [readable(licence), licence_note(readable(licence))]))


def _machines(home: SearchHome, members: Iterable[Point]) -> str:
    """The devices that trained the first few members, each once; empty if the store no longer says."""
    found = dict.fromkeys(_machine(home, point.model) for point in list(members)[:MOST_MODELS] if point.model)
    return "; ".join(filter(None, found))


def _machine(home: SearchHome, model: str) -> str:
    try:
        manifest = home.artifacts.find(model_stage().kind, model)
        made = {} if manifest is None else manifest.meta.get("made_with")
    except TunerError:  # a damaged artifact is reported where it is needed
        return ""
    if not isinstance(made, dict):  # of an earlier version
        return ""
    device, name, threads = (readable(str(made.get(key, ""))) for key in ("device", "device_name", "threads"))
    cores = f", {threads} thread{'' if threads == '1' else 's'}" if device == "cpu" and threads else ""
    return f"{device}: {name}{cores}" if device else ""
