"""What a system is: a named method that turns a recipe, a feature bank and a seed into stages.

A system reads only the recipe's data, backbone, adapter and training. Its sizes, and the images that its program rests
on, are those that were published, whatever the recipe's trials do.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from tuner.features.settings import BackboneSettings
from tuner.qpm.program.instance.sizes import check_feasible
from tuner.recipe import Recipe
from tuner.search.execute.banks import not_looked_for
from tuner.search.execute.plan import StageSpec, evaluation
from tuner.store import Artifacts


@dataclass(frozen=True)
class Tokens:
    """What a system asks of a feature bank.

    Attributes:
        key: of the bank.
        n_classes: number of classes.
        dim: width of a token.
        has_cls: whether its backbone has a CLS token.
        not_looked_for: what it lacks because the version that made it did not look for it, such as "parts".
    """

    key: str
    n_classes: int
    dim: int
    has_cls: bool
    not_looked_for: tuple[str, ...] = ()

    @classmethod
    def of(cls, artifacts: Artifacts, key: str) -> "Tokens":
        """Those of a bank in the store."""
        manifest = artifacts.find("banks", key)
        assert manifest is not None, "the bank is published before anything is compared"
        sizes = manifest.told("n_classes", int), manifest.told("dim", int)
        return cls(key, *sizes, "cls.npy" in manifest.files, not_looked_for(manifest))


Settings = Callable[[Recipe, Tokens], Recipe]


def as_it_is(recipe: Recipe, _: Tokens) -> Recipe:
    """The recipe unchanged."""
    return recipe


def nothing_special(_: Recipe, __: Tokens) -> str:
    """No remark."""
    return ""


@dataclass(frozen=True)
class System:
    """One method.

    Attributes:
        name: by which it is chosen.
        title: as shown, without its size.
        note: what it is, in one line.
        models: the stages up to the model that is measured, of a recipe with its seed.
        selects: features that it selects, and features of each class, as published; None: it selects none.
        settings: the recipe with what the method sets itself.
        remark: what is special about it on this recipe and bank; empty: nothing.
        features: number of features before any selection; the adapter's width.
        control_of: the system that it is the control of; empty: it is none.
        backbone: what makes a feature bank of its own, from a recipe; None: that of the recipe serves.
    """

    name: str
    title: str
    note: str
    models: Callable[[Recipe, Tokens], list[StageSpec]]
    selects: tuple[int, int] | None = None
    settings: Settings = as_it_is
    remark: Callable[[Recipe, Tokens], str] = nothing_special
    features: Callable[[Recipe, Tokens], int] = lambda recipe, _: recipe.adapter.width
    control_of: str = ""
    backbone: Callable[[Recipe], BackboneSettings] | None = None

    def of(self, recipe: Recipe, tokens: Tokens) -> Recipe:
        """Its recipe on a bank: as published unless its settings say otherwise, its sizes no larger than adapter and
        classes allow.

        Raises:
            InfeasibleError: the method cannot be had there, with the reason.
        """
        dense = dataclasses.replace(recipe.dense, held_out=0.0)
        assign = dataclasses.replace(recipe.assign, on="train", control="none", forced_pairs=0)
        fixed = dataclasses.replace(recipe, space={}, dense=dense, assign=assign)
        if (sizes := self._sizes(recipe, tokens)) is not None:
            check_feasible(self.features(recipe, tokens), *sizes, tokens.n_classes)
            assign = dataclasses.replace(assign, n_features=sizes[0], features_per_class=sizes[1])
            fixed = dataclasses.replace(fixed, assign=assign)
        return self.settings(fixed, tokens)

    def size(self, recipe: Recipe, tokens: Tokens) -> str:
        """Such as "50/5", 50 features of which a class uses 5, or "512"."""
        sizes = self._sizes(recipe, tokens) or (self.features(recipe, tokens),)
        return "/".join(map(str, sizes))

    def remarks(self, recipe: Recipe, tokens: Tokens) -> str:
        """What differs from the published method on this bank; empty: nothing."""
        told = [self.remark(recipe, tokens)]
        sizes = self._sizes(recipe, tokens)
        if self.selects is not None and sizes is not None and sizes != self.selects:
            bound = f"adapter.width={sizes[0]}"
            if sizes[0] < self.features(recipe, tokens):
                bound = f"{tokens.n_classes} classes of {sizes[1]} features use no more"
            told.append(f"{sizes[0]} features instead of {self.selects[0]}: {bound}")
        return "; ".join(filter(None, told))

    def stages(self, recipe: Recipe, tokens: Tokens, seed: int) -> list[StageSpec]:
        """Its stages with a seed, from the first one that trains to the measurement on the test split.

        Raises:
            InfeasibleError: as `of`.
        """
        models = self.models(dataclasses.replace(self.of(recipe, tokens), seed=seed), tokens)
        return [*models, evaluation(models[-1], "test")]

    def _sizes(self, recipe: Recipe, tokens: Tokens) -> tuple[int, int] | None:
        """The published sizes, but never more features than there are, or than the classes can use."""
        if self.selects is None:
            return None
        n_features, features_per_class = self.selects
        most = min(self.features(recipe, tokens), tokens.n_classes * features_per_class)
        return min(n_features, most), features_per_class
