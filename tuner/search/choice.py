"""A picked trial: export, register or record it, or load its model."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuner.base.folders import checked_path
from tuner.errors import UsageError
from tuner.front import uncertainty
from tuner.front.pick import Pick
from tuner.search.record.home import SearchHome

if TYPE_CHECKING:
    import pandas as pd

    from tuner.model import ExportedModel
    from tuner.search.outcome.diff_trials import TrialsDiff


class Choice:
    """A trial of a search and why it was picked. Reading it writes nothing; the methods say what they write.

    Attributes:
        search: name of the search.
        trial: number of the trial.
        params: its parameters, named as in the recipe's space.
        values: its metrics, on the split that objectives are measured on.
        errors: one standard error of each value for which it is known, in the metric's unit.
        confirmation: runs, means, deviations and probability of being non-dominated (`tuner.front.confirmation`).
        reason: why it was picked, in one sentence.
        alternatives: trials that the rule could not tell apart from it.
        runner_up: the trial that the rule would have taken without it; None if there is none.
        prices: what it costs and brings against named alternatives: a dictionary each, with the trial, its role, and
            the difference in each objective with its standard error and whether it is beyond noise.
    """

    def __init__(self, home: SearchHome, pick: Pick) -> None:
        self._home, self._pick = home, pick
        self.search = home.name
        self.trial, self.params, self.values = pick.point.trial, pick.point.params, pick.point.values
        self.errors = uncertainty.errors(self.values) | pick.point.errors
        self.confirmation = pick.bars.to_json()
        self.reason, self.alternatives = pick.reason, pick.alternatives
        self.runner_up = None if pick.runner_up is None else pick.runner_up.trial
        self.prices = [price.to_json() for price in pick.prices]

    def model(self, *, weights: Path | str = "", device: str = "auto") -> "ExportedModel":
        """The trial's model with its backbone, ready for image files.

        Args:
            weights: of a pre-trained backbone, if they are not at the path in the recipe.
            device: `auto`, `cpu`, `cuda`, `cuda:1` ...

        Raises:
            TunerError: the model or the backbone's weights are missing or damaged.
        """
        from tuner.search.outcome.explain import load_pick

        return load_pick(self._home, self._pick, str(weights), device=device)

    def classes(self) -> "pd.DataFrame":
        """Its accuracy on each class, in the order of the classes.

        Returns:
            Columns class, images (their number), accuracy (percent), error (one standard error, percentage points).
            `attrs["split"]` names the images: test where it has been measured there, else validation.

        Raises:
            UsageError: it was measured by an earlier version.
        """
        import pandas as pd

        from tuner.search.outcome.by_class import accuracy_by_class

        split, rows = accuracy_by_class(self._home, self._pick)
        frame = pd.DataFrame([asdict(row) for row in rows]).rename(columns={"name": "class"})
        frame.attrs["split"] = split
        return frame

    def stability(self, *, weights: Path | str = "", device: str = "auto") -> "pd.DataFrame":
        """How much of its decisions and explanations stays under small changes of the test images.

        The backbone runs over these images, which must be on this machine, and over three changes of them. Nothing is
        stored.
        The random control of the trial stands beside it, once `qpm-tuner compare` has trained it.

        Args:
            weights: of a pre-trained backbone, if they are not at the path in the recipe.
            device: `auto`, `cpu`, `cuda`, `cuda:1` ...

        Returns:
            One row per model and change: model (such as "trial 3"; "random"), change (noise, jpeg, mirror), decision,
            evidence and peaks (what stays of them, percent), n_images. See docs/explanation/method.md#stability.

        Raises:
            TunerError: the images are not on this machine, or the model or the backbone's weights are missing.
        """
        import pandas as pd

        from tuner.search.systems.stability import as_rows, stability_of

        return pd.DataFrame(as_rows(stability_of(self._home, self._pick, weights=str(weights), device=device)))

    def diff(self, other: "Choice") -> "TrialsDiff":
        """Compare it with another trial, also of another search; `str` of it is the text.

        Raises:
            UsageError: the other one is no choice.
            TunerError: an artifact is damaged, or a store cannot be read.
        """
        from tuner.search.outcome.diff_trials import diff_trials

        if not isinstance(other, Choice):
            todo = "get it by Search.choice or Search.pick"
            raise UsageError(f"the other one is of type {type(other).__name__}", "a choice", todo)
        return diff_trials((self._home, other._home), (self.trial, other.trial))

    def export(self, folder: Path | str) -> Path:
        """Write the model folder, which `tuner.load_model` reads, and record the choice in the search.

        Args:
            folder: a new or empty folder.

        Raises:
            UsageError: the folder is a file, or not empty.
        """
        from tuner.search.outcome.pick import carry_out

        place = checked_path(folder, "folder")
        carry_out(self._home, self._pick, export=place)
        return place

    def register(self, tracking_uri: str = "") -> str:
        """Register the model in MLflow under the alias `picked`, and record the choice in the search.

        Args:
            tracking_uri: of MLflow; empty: MLFLOW_TRACKING_URI, else the file beside the store.

        Returns:
            Name and version of the registered model.

        Raises:
            TunerError: MLflow cannot be reached.
        """
        from tuner.search.outcome.pick import carry_out

        return carry_out(self._home, self._pick, register=True, tracking_uri=tracking_uri)["registered"]

    def remember(self) -> None:
        """Record the choice in the search: the report shows it, and `Search.picked` returns it."""
        from tuner.search.outcome.pick import carry_out

        carry_out(self._home, self._pick, choose=True)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, with the names of `qpm-tuner pick --json`."""
        names = ("search", "trial", "params", "values", "errors", "confirmation", "reason", "runner_up", "prices")
        return {name: getattr(self, name) for name in names} | {"alternatives": list(self.alternatives)}

    def __repr__(self) -> str:
        return f"<Choice trial {self.trial} of search {self.search!r}>"

    def __str__(self) -> str:
        return self.reason

    def _repr_html_(self) -> str:
        from tuner.report.snippets import snippet

        return snippet(f"Trial {self.trial} of search {self.search}", [self.reason], list(self.params.items()))
