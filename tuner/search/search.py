"""A search as Python sees it: its trials, its front, a choice, explanations and the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from tuner.base.folders import checked_path
from tuner.base.progress import LogProgress
from tuner.errors import TunerError, UsageError
from tuner.recipe import Recipe, objectives_of
from tuner.search import arguments
from tuner.search.choice import Choice
from tuner.search.control.control import Control
from tuner.search.record.home import SearchHome

if TYPE_CHECKING:
    import pandas as pd

    from tuner.report.explanation import Decision
    from tuner.report.prediction import Prediction
    from tuner.search.outcome.searches_diff import SearchesDiff


class Search:
    """A search in a store, as it is at the moment of each call; made by `run_search` and `open_search`.

    Attributes:
        name: the search's name.
        store: address of its store.
        interrupted: whether the call of `run_search` that returned it was stopped by the user.
    """

    def __init__(self, home: SearchHome, *, interrupted: bool = False) -> None:
        self._home = home
        self.name, self.store = home.name, home.store.url
        self.interrupted = interrupted

    @property
    def recipe(self) -> Recipe:
        """The recipe it was started with, a copy."""
        return self._home.stored()[0]

    def counts(self) -> dict[str, int]:
        """Number of ended trials by outcome, such as `{"complete": 14, "infeasible": 2}`."""
        return self._home.state().counts()

    def status(self) -> dict[str, Any]:
        """How far it is, as `qpm-tuner status --json` prints it."""
        from tuner.search.watch.summary import status

        return status(self._home)

    @property
    def control(self) -> Control:
        """Stops, pauses or resumes it while it runs, skips or adds trials, and sets its budget."""
        return Control(self._home)

    def trials(self) -> "pd.DataFrame":
        """All trials, one per row; `tuner.search.frames` documents the columns."""
        from tuner.search.frames import trials_frame

        state = self._home.state()
        return trials_frame(self._home.front(state=state), state)

    def front(self, objectives: Sequence[str] | None = None) -> "pd.DataFrame":
        """The Pareto front, the best in the first objective on top; columns as those of `trials`.

        Args:
            objectives: such as `["accuracy", "features_per_class:min"]`; None: those of the search.

        Raises:
            UsageError: an objective is unknown.
        """
        from tuner.search.frames import front_frame

        named = None if objectives is None else arguments.names(objectives, "objectives", "accuracy")
        axes = None if named is None else objectives_of(self.recipe, named)
        state = self._home.state()
        return front_frame(self._home.front(axes, state), state)

    def pick(
        self,
        within: Mapping[str, float] = {},
        at_most: Mapping[str, float] = {},
        at_least: Mapping[str, float] = {},
        *,
        trial: int | None = None,
        knee: bool = False,
        aspire: Mapping[str, float] = {},
        weights: Mapping[str, float] = {},
        order: Sequence[str] = (),
        objectives: Sequence[str] | None = None,
    ) -> Choice:
        """Choose a model; nothing is written.

        Limits and distances say which models come into question, and at most one of `trial`, `knee`, `aspire`,
        `weights` and `order` which of them is taken: without, the knee of the front, the best trade-off, or among
        those within a distance the best in the other objectives.

        Args:
            within: objectives -> allowed distance from the best value, in its unit. `{"accuracy": 1.0}` is one
                percentage point.
            at_most: parameters or values -> the largest number allowed, such as `{"features_per_class": 3}`.
            at_least: parameters or values -> the smallest number allowed.
            trial: this trial, also one that is not on the front.
            knee: the knee, also among those within a distance.
            aspire: objectives -> a wish; what comes closest to all wishes (a reference point).
            weights: every objective -> its weight in a sum of objectives scaled by their natural range.
            order: objectives by importance; the best in the first, among equals the best in the next.
            objectives: other axes than the search's, such as `["accuracy", "n_features:min"]`. The front is then that
                of all complete trials, by their stored values.

        Raises:
            UsageError: no trial qualifies, a name is unknown, or two rules each take one.
            TunerError: no trial is complete yet.
        """
        from tuner.front.pick import Rules
        from tuner.search.outcome.pick import pick_model

        numbers = {"within": within, "at_most": at_most, "at_least": at_least, "aspire": aspire, "weights": weights}
        checked = {setting: arguments.numbers(given, setting) for setting, given in numbers.items()}
        number = None if trial is None else arguments.whole(trial, "trial", 0)
        ordered = arguments.names(order, "order", "accuracy")
        axes = None if objectives is None else arguments.names(objectives, "objectives", "accuracy")
        rules = Rules(**checked, trial=number, knee=knee, order=ordered)
        return Choice(self._home, pick_model(self._home, rules, axes))

    def candidates(self, objectives: Sequence[str] | None = None) -> "pd.DataFrame":
        """The members of the front that are worth a look first, the knee on top; one per row, columns as `front`.

        A column `role` says what each is: the knee, the best in an objective, or compact.

        Args:
            objectives: as for `front`.

        Raises:
            UsageError: an objective is unknown.
            TunerError: no trial is complete yet.
        """
        from tuner.search.frames import candidates_frame
        from tuner.search.outcome.candidates import side_by_side

        axes = None if objectives is None else arguments.names(objectives, "objectives", "accuracy")
        found = side_by_side(self._home, axes)
        return candidates_frame(found.view, found.state, found.candidates)

    def diff(
        self, other: "Search", objectives: Sequence[str] | None = None, reference: Mapping[str, float] = {}
    ) -> "SearchesDiff":
        """Compare it with another search: fronts, which is ahead where, and at what cost; `str` of it is the text.

        Args:
            other: the second search, also of another store.
            objectives: axes of both fronts; None: those of this search.
            reference: objectives -> the worst value that counts; without, a tenth beyond the worst member.

        Raises:
            UsageError: a name is unknown, or no member is better than a reference.
            TunerError: one of them has no complete trial yet.
        """
        from tuner.search.outcome.diff_searches import diff_searches

        if not isinstance(other, Search):
            todo = "open it by tuner.open_search"
            raise UsageError(f"the other one is of type {type(other).__name__}", "a search", todo)
        axes = None if objectives is None else arguments.names(objectives, "objectives", "accuracy")
        return diff_searches(self._home, other._home, axes, arguments.numbers(reference, "reference"))

    @property
    def picked(self) -> Choice | None:
        """The choice that was exported, registered or recorded last; None if there is none."""
        from tuner.search.outcome.choose import recorded_pick

        state = self._home.state()
        view = self._home.front(state=state)
        return None if state.pick is None else Choice(self._home, recorded_pick(view, state))

    def choice(self, trial: int | None = None) -> Choice:
        """A trial by its number; None: the picked one, or the knee if none is picked.

        Raises:
            UsageError: the trial has no model.
        """
        from tuner.search.outcome.explain import chosen_model

        number = None if trial is None else arguments.whole(trial, "trial", 0)
        return Choice(self._home, chosen_model(self._home, number))

    @overload
    def explain(  # type: ignore[overload-overlap]  # a text is a sequence of texts as well
        self, images: Path | str, *, trial: int | None = None, weights: Path | str = ""
    ) -> "Prediction": ...

    @overload
    def explain(
        self, images: Sequence[Path | str], *, trial: int | None = None, weights: Path | str = ""
    ) -> "list[Prediction]": ...

    def explain(
        self, images: Path | str | Sequence[Path | str], *, trial: int | None = None, weights: Path | str = ""
    ) -> "Prediction | list[Prediction]":
        """Classify image files and explain each decision: the features of the class and of the runner-up.

        Args:
            images: one image file, or several.
            trial: the model of this trial; None: the picked one, or the knee if none is picked.
            weights: of a pre-trained backbone, if they are not at the path in the recipe.

        Returns:
            A prediction per image; for a single path just its prediction.

        Raises:
            TunerError: an image cannot be read, or the model is missing or damaged.
        """
        paths, alone = arguments.image_files(images)
        predictions = self.choice(trial).model(weights=weights).predict(paths)
        return predictions[0] if alone else predictions

    def explain_classes(self, first: str, second: str, *, trial: int | None = None) -> "Decision":
        """Two classes side by side, each on a held-out image of its own: what they share and what tells them apart.

        Raises:
            UsageError: a class is unknown, or both are the same.
            TunerError: the images are not on this machine.
        """
        from tuner.search.outcome.explain import against

        pair = (arguments.text(first, "first", "3"), arguments.text(second, "second", "8"))
        return against(self._home, None if trial is None else arguments.whole(trial, "trial", 0), *pair)

    def report(self, path: Path | str) -> Path:
        """Write the report, one self-contained HTML page.

        Raises:
            TunerError: the file cannot be written.
        """
        from tuner.search.outcome.report import report_page

        place = checked_path(path, "path")
        page = report_page(self._home, LogProgress())
        try:
            place.write_text(page, encoding="utf-8")
        except OSError as error:
            what = f"{place} cannot be written ({error.strerror or error})"
            raise TunerError(what, "the path of a file in an existing folder", "correct the path") from error
        return place

    def __repr__(self) -> str:
        return f"<Search {self.name!r} in {self.store}>"

    def _repr_html_(self) -> str:
        from tuner.report.picture import render_front
        from tuner.report.snippets import snippet
        from tuner.search.record.restoration import tally

        state = self._home.state()
        view = self._home.front(state=state)
        n_open = len(state.open())
        lines = [f"Trials: {tally(view.counts) or 'none has ended'}{f', {n_open} open' if n_open else ''}."]
        svg = ""
        if view.members:
            points = view.points(state)
            picked = next((p for p in points if state.pick is not None and p.trial == state.pick.trial), None)
            svg = render_front(points, view.objectives, picked=picked, title=self.name, ranks=view.ranks)
            members = "1 trial" if len(view.members) == 1 else f"{len(view.members)} trials"
            lines.append(f"Front: {members}, {view.volume} ({view.scale}).")
        return snippet(f"Search {self.name} in {self.store}", lines, svg=svg)
