"""Locates the weights of a timm network, and what is told with them: architecture, preprocessing, licence.

Weights are named by timm (`vit_small_patch14_reg4_dinov2.lvd142m`), are a repository of the hub (`hf_hub:org/name`), a
folder in timm's layout (config.json beside model.safetensors), or a single file.
"""

import re
from pathlib import Path
from typing import Any

from tuner.base.spelling import did_you_mean, some_of
from tuner.base.untrusted import read_json, shown
from tuner.errors import TunerError, UsageError
from tuner.features import hub
from tuner.features.settings import TimmSettings
from tuner.features.timm_package import timm
from tuner.features.timm_source import Source, arguments_in, source_of

HUB = re.compile(r"hf[-_]hub:(?P<name>.+)")
FILES = (".safetensors", ".pth", ".pt", ".bin")
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[\w.-]{1,96}", re.ASCII)
WHAT = "weights of a timm network"
EXAMPLE = "vit_small_patch14_reg4_dinov2.lvd142m"


def find_weights(config: TimmSettings, *, offline: bool = False) -> Source:
    """The weights that a recipe names, on this machine.

    Args:
        config: `weights` and `model`.
        offline: of the hub, take only what this machine already has.

    Raises:
        UsageError: the settings name no network, or two.
        TunerError: the weights are missing and cannot be downloaded, or what is told with them is odd.
    """
    weights, model, path = config.weights, config.model, Path(config.weights)
    if weights and path.is_dir():
        return _of_folder(path, model)
    if weights and path.is_file():
        return _of_file(path, model)
    if found := HUB.fullmatch(weights):
        return _of_hub(found["name"], model, offline)
    if path.suffix in FILES or weights.startswith(("/", ".", "~")):
        todo = "check the path; on a cluster the file has to be on each machine that extracts features"
        raise TunerError(f"backbone.weights={weights}: there is no such file", WHAT, todo)
    if REPOSITORY.fullmatch(weights):
        return _of_hub(weights, model, offline)
    return _of_name(weights, model, offline)


def architecture_of(name: str, setting: str) -> str:
    """The architecture in a name of timm's, such as `resnet18` of `resnet18.a1_in1k`.

    Raises:
        UsageError: timm has none of that name.
    """
    library, plain = timm(), name.partition(".")[0]
    if not library.is_model(plain):
        todo = f"name one, such as {EXAMPLE}; in Python, timm.list_pretrained('*dino*') lists them"
        raise UsageError(
            f"{setting}={shown(name)}, which is neither on this machine nor a network of timm",
            "a name of timm, hf_hub:ORGANISATION/NAME, a folder or a file",
            did_you_mean(plain, library.list_models(), todo),
        )
    return plain


def _of_name(name: str, model: str, offline: bool) -> Source:
    """Weights by timm's name; the hub holds them."""
    if not (name or model):
        raise UsageError(
            "backbone.name=timm without backbone.weights", "the name of a network", f"set backbone.weights={EXAMPLE}"
        )
    setting = "backbone.weights" if name else "backbone.model"
    name = name or model
    told = _described(name, setting)
    _require_same(told["architecture"], model, name)
    repository = told.get("hf_hub_id")
    if not repository:
        where = f" from {told['url']}" if told.get("url") else ""
        raise TunerError(
            f"the weights {name} are not on the hub",
            WHAT,
            f"download them{where}, and set backbone.model={name} backbone.weights=FILE",
        )
    wanted = told.get("hf_hub_filename") or "model.safetensors"
    what, todo = ["config.json", wanted], _todo(repository)
    folder = hub.downloaded(repository, what, WHAT, todo, offline=offline, field=setting)
    return source_of(told, _file_in(folder, wanted), {})


def _of_hub(repository: str, model: str, offline: bool) -> Source:
    """Weights in a repository of the hub that has timm's layout."""
    wanted = ["config.json", "model.safetensors"]
    return _of_folder(hub.downloaded(repository, wanted, WHAT, _todo(repository), offline=offline), model)


def _of_folder(folder: Path, model: str) -> Source:
    """Weights in a folder with timm's config.json; without one, as a single file."""
    file = _file_in(folder, "model.safetensors")
    config = folder / "config.json"
    if not config.is_file():
        return _of_file(file, model)
    about = read_json(config)
    told = about.get("pretrained_cfg", about)
    architecture = about.get("architecture")
    if not isinstance(told, dict) or not isinstance(architecture, str):
        if model:
            return _of_file(file, model)
        raise TunerError(
            f"{config} names no architecture of timm",
            "a config.json as timm writes it, with `architecture`",
            "set backbone.model to the architecture, or take a repository with weights for timm",
        )
    plain = architecture_of(architecture, f"the architecture in {config}")
    _require_same(plain, model, str(folder))
    arguments = arguments_in(about.get("model_args") or {}, config)
    usual = _described(plain, "backbone.weights") | {"license": None, "tag": None}
    return source_of(usual | told | {"architecture": plain}, file, arguments)


def _of_file(file: Path, model: str) -> Source:
    """Weights in a file, which tells nothing but tensors."""
    if not model:
        raise UsageError(
            f"backbone.weights={file} without backbone.model",
            "the architecture of the weights in the file",
            f"set backbone.model, such as backbone.model={EXAMPLE.partition('.')[0]}",
        )
    told = _described(model, "backbone.model")
    return source_of(told if "." in model else told | {"license": None}, file, {})


def _described(name: str, setting: str) -> dict[str, Any]:
    """What timm knows of weights, or of an architecture's usual ones."""
    architecture = architecture_of(name, setting)
    library = timm()
    tags = library.list_pretrained(f"{architecture}.*")
    if "." in name and name not in tags:
        known = some_of(tags) or "none"
        raise UsageError(
            f"{setting}={shown(name)}: timm knows no such weights of {architecture}",
            f"one of {known}",
            did_you_mean(name, tags),
        )
    found = library.get_pretrained_cfg(name, allow_unregistered=True)
    return ({} if found is None else found.to_dict()) | {"architecture": architecture}


def _require_same(architecture: str, model: str, weights: str) -> None:
    """Refuse an architecture beside weights of another one."""
    if model and architecture_of(model, "backbone.model") != architecture:
        raise UsageError(
            f"backbone.model={model} with backbone.weights={weights}",
            f"the architecture of these weights, {architecture}",
            "leave backbone.model empty",
        )


def _file_in(folder: Path, name: str) -> Path:
    """The weights in a folder: the file of the usual name, or the only one."""
    if (folder / name).is_file():
        return folder / name
    found = sorted(path for path in folder.iterdir() if path.suffix in FILES and path.is_file())
    if len(found) == 1:
        return found[0]
    raise TunerError(
        f"{folder} holds {'no' if not found else 'several files of'} weights"
        + (f": {some_of(path.name for path in found)}" if found else ""),
        f"{name}, or one file ending in {', '.join(FILES)}",
        "set backbone.weights to the file itself, and backbone.model to its architecture",
    )


def _todo(repository: str) -> str:
    return (
        f"check the name; without internet, fetch {repository} where there is some "
        f"(hf download {repository} --local-dir FOLDER), copy the folder here and set backbone.weights=FOLDER"
    )
