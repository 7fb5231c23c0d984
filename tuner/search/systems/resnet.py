"""The ResNet baselines, trained end to end, each on a bank of pixels (docs/explanation/method.md#resnet)."""

import dataclasses

from tuner.features.resnet_sizes import PIXELS, WIDTHS
from tuner.features.settings import BackboneConfig, BackboneSettings
from tuner.qpm.settings import keyed
from tuner.recipe import Recipe
from tuner.search.execute.plan import StageSpec, split_of
from tuner.search.systems.system import Tokens

MARGIN = 4  # pixels by which a crop may move to each side, as the published padding


def pixels(recipe: Recipe) -> BackboneSettings:
    """The backbone of the bank: squares from the middle of the images, a little larger than the crop."""
    resnet = recipe.resnet
    size = resnet.crop + 2 * MARGIN
    return BackboneConfig(name=PIXELS, depth=resnet.depth, weights=resnet.weights, image_size=size, geometry="crop")


def channels(recipe: Recipe, _: Tokens) -> int:
    """Number of features: the channels of the final maps."""
    return WIDTHS[recipe.resnet.depth][-1]


def baseline(recipe: Recipe, tokens: Tokens) -> list[StageSpec]:
    """The ResNet with its linear head."""
    settings = {"resnet": recipe.resnet.training(), "split": split_of(recipe)}
    return [StageSpec("resnet", settings, {"bank": tokens.key}, recipe.seed)]


def behind_binary_head(recipe: Recipe, tokens: Tokens) -> list[StageSpec]:
    """The program on its channels, then the whole network trained behind the binary head."""
    (resnet,) = baseline(recipe, tokens)
    parts = recipe.to_dict()
    bank, split = {"bank": tokens.key}, {"split": split_of(recipe)}
    read = {**bank, "resnet": resnet.key}
    program = StageSpec("assign", {"assign": keyed(parts["assign"]), **split}, read, recipe.seed)
    read = {**read, "assign": program.key}
    tuned = StageSpec("resnet_qpm", {"resnet_qpm": parts["resnet_qpm"], **split}, read, recipe.seed)
    return [resnet, program, tuned]


def as_published(recipe: Recipe, _: Tokens) -> Recipe:
    """The program of QPM, with its pairs and its locality bias."""
    return dataclasses.replace(recipe, assign=dataclasses.replace(recipe.assign, variant="paper"))


def trained_as(recipe: Recipe, _: Tokens) -> str:
    """The network, and how it is trained."""
    resnet = recipe.resnet
    return f"ResNet-{resnet.depth} on squares of {resnet.crop} pixels, {resnet.epochs} epochs"


def tuned_as(recipe: Recipe, tokens: Tokens) -> str:
    """The same, and the epochs behind the binary head."""
    return f"{trained_as(recipe, tokens).removesuffix(' epochs')} + {recipe.resnet_qpm.epochs} epochs"
