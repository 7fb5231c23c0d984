"""What a system is: a named method that turns a recipe, a feature bank and a seed into stages.

A system reads only the recipe's data, backbone, adapter and training; its sizes are those that were published.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from tuner.qpm.program.instance.sizes import check_feasible
from tuner.recipe import Recipe
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
    """

    key: str
    n_classes: int
    dim: int
    has_cls: bool

    @classmethod
    def of(cls, artifacts: Artifacts, key: str) -> "Tokens":
        """Those of a bank in the store."""
        manifest = artifacts.find("banks", key)
        assert manifest is not None, "the bank is published before anything is compared"
        return cls(key, manifest.told("n_classes", int), manifest.told("dim", int), "cls.npy" in manifest.files)


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
        n_features: features that it selects, as published; 0: it selects none.
        features_per_class: features of each class, as published.
        settings: the recipe with what the method sets itself.
        remark: what is special about it on this recipe and bank; empty: nothing.
        features: number of features of a method that selects none; the adapter's width.
        control_of: the system that it is the control of; empty: it is none.
    """

    name: str
    title: str
    note: str
    models: Callable[[Recipe, Tokens], list[StageSpec]]
    n_features: int = 0
    features_per_class: int = 0
    settings: Settings = as_it_is
    remark: Callable[[Recipe, Tokens], str] = nothing_special
    features: Callable[[Recipe, Tokens], int] = lambda recipe, _: recipe.adapter.width
    control_of: str = ""

    def of(self, recipe: Recipe, tokens: Tokens) -> Recipe:
        """Its recipe on a bank, its sizes no larger than adapter and classes allow.

        Raises:
            InfeasibleError: the method cannot be had there, with the reason.
        """
        fixed = dataclasses.replace(recipe, space={})
        if self.n_features:
            n_features = self._selected(recipe, tokens)
            check_feasible(recipe.adapter.width, n_features, self.features_per_class, tokens.n_classes)
            sizes = {"n_features": n_features, "features_per_class": self.features_per_class}
            fixed = dataclasses.replace(fixed, assign=dataclasses.replace(fixed.assign, **sizes))
        return self.settings(fixed, tokens)

    def size(self, recipe: Recipe, tokens: Tokens) -> str:
        """Such as "50/5", 50 features of which a class uses 5, or "512"."""
        if self.n_features:
            return f"{self._selected(recipe, tokens)}/{self.features_per_class}"
        return str(self.features(recipe, tokens))

    def remarks(self, recipe: Recipe, tokens: Tokens) -> str:
        """What differs from the published method on this bank; empty: nothing."""
        told = [self.remark(recipe, tokens)]
        if self.n_features and (selected := self._selected(recipe, tokens)) < self.n_features:
            bound = f"adapter.width={selected}"
            if selected < recipe.adapter.width:
                bound = f"{tokens.n_classes} classes of {self.features_per_class} features use no more"
            told.append(f"{selected} features instead of {self.n_features}: {bound}")
        return "; ".join(filter(None, told))

    def stages(self, recipe: Recipe, tokens: Tokens, seed: int) -> list[StageSpec]:
        """Its stages with a seed, from the first one that trains to the measurement on the test split.

        Raises:
            InfeasibleError: as `of`.
        """
        models = self.models(dataclasses.replace(self.of(recipe, tokens), seed=seed), tokens)
        return [*models, evaluation(models[-1], "test")]

    def _selected(self, recipe: Recipe, tokens: Tokens) -> int:
        """More features than the classes can use, or than there are, are never selected."""
        return min(self.n_features, recipe.adapter.width, tokens.n_classes * self.features_per_class)
