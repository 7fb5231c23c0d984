"""The report page, built from ledger and store only."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tuner.base.progress import Progress
from tuner.errors import TunerError
from tuner.front.confirmation import ErrorBars
from tuner.front.pick import Pick
from tuner.front.spread import spread
from tuner.recipe import Recipe, caution, objectives_of
from tuner.report.search_page import BaselineRow, PickView, Report, Span, TrialRow, render_report
from tuner.search.outcome.by_class import accuracy_by_class
from tuner.search.outcome.choose import recorded_pick
from tuner.search.outcome.costs import cost_in_all, costs_so_far, stage_uses
from tuner.search.outcome.curves import learning_curves
from tuner.search.outcome.history import growth
from tuner.search.outcome.importance import importances
from tuner.search.outcome.origin import origin_of
from tuner.search.record.events import Baseline
from tuner.search.record.front_view import FrontView
from tuner.search.record.home import SearchHome
from tuner.search.record.inputs import load_input
from tuner.search.record.restoration import SearchState, TrialRecord
from tuner.search.record.stage_use import StageUse
from tuner.search.stages import model_stage

if TYPE_CHECKING:
    from tuner.data.dataset import Dataset
    from tuner.features.bank import FeatureBank
    from tuner.qpm.finetuning import QpmModel
    from tuner.search.outcome.pictures import ModelPictures


def report_page(home: SearchHome, progress: Progress, state: SearchState | None = None, features_page: str = "") -> str:
    """The search's report as one HTML page; the picked model is the recorded pick, else the knee.

    Args:
        home: the search.
        progress: is told what is left out.
        state: of the search; None: as the ledger has it now.
        features_page: address of the page of the model's features, relative to the report; empty: there is none.
    """
    recipe, bank = home.stored()
    state = state or home.state()
    objectives = objectives_of(recipe)
    view = home.front(objectives, state)
    chosen = recorded_pick(view, state) if view.members else None
    grown, prices = growth(state, objectives, recipe.budget.prices), recipe.budget.prices
    log = frozenset(name for name, dimension in recipe.space.items() if dimension.get("log"))
    report = Report(
        search=home.name,
        objectives=objectives,
        rows=[_row(trial, view) for _, trial in sorted(state.trials.items())],
        hypervolume=[(row.seconds, row.hypervolume) for row in grown],
        costs=costs_so_far(grown, prices),
        stages=stage_uses(state, prices),
        cost=cost_in_all(state, prices),
        pick=None if chosen is None else _pick_view(home, chosen, progress, _is_chosen(chosen, state)),
        baselines=baseline_rows(state.baselines),
        note=_note(recipe, caution(recipe, state.budget, len(state.trials)), view.satisfaction) + _growth(view),
        ranks=view.ranks,
        importance=importances(state.points(objectives), objectives, log),
        curves=list(learning_curves(home, state, _drawn(view, chosen), progress)),
        origin=origin_of(home, recipe, bank, view.members),
        log_parameters=log,
        features_page=features_page,
    )
    return render_report(report)


def model_pictures(home: SearchHome, chosen: Pick) -> "ModelPictures":
    """The pictures of a complete trial's model.

    Raises:
        TunerError: if the images are not on this machine, or the model is damaged.
    """
    from tuner.search.outcome.pictures import ModelPictures

    recipe, _ = home.of_trial(chosen.point.params)
    return ModelPictures(*chosen_parts(home, chosen), recipe.backbone.geometry)


def chosen_parts(home: SearchHome, chosen: Pick) -> "tuple[QpmModel, FeatureBank, Dataset]":
    """A complete trial's model, the bank it was trained on, and the images themselves.

    Raises:
        TunerError: if the images are not on this machine, or the model is damaged.
    """
    from tuner.data.load import load_dataset
    from tuner.features.bank import open_bank
    from tuner.qpm.finetuning import QpmModel

    assert chosen.point.model is not None, "a complete trial has a model"
    recipe, bank = home.of_trial(chosen.point.params)
    dataset = load_dataset(recipe.data)
    tokens = load_input(home.artifacts, "banks", bank, open_bank)
    model = load_input(home.artifacts, model_stage().kind, chosen.point.model, lambda f: QpmModel.load(f).of(tokens))
    return model, tokens, dataset


def _is_chosen(chosen: Pick, state: SearchState) -> bool:
    """Whether a user picked it; else the default rule did."""
    return state.pick is not None and state.pick.trial == chosen.point.trial


def _pick_view(home: SearchHome, chosen: Pick, progress: Progress, recorded: bool) -> PickView:
    view = PickView(chosen.point, chosen.reason, chosen=recorded)
    try:
        split, rows = accuracy_by_class(home, chosen)
        view = replace(view, by_class=rows, by_class_on=split)
    except TunerError as error:
        progress.warn(f"no accuracy of single classes in the report: {error.what}")
    try:
        pictures = model_pictures(home, chosen)
        return replace(view, classes=pictures.classes(), comparison=pictures.comparison())
    except TunerError as error:
        progress.warn(f"no pictures in the report: {error.what}")
        return view


def _drawn(view: FrontView, chosen: Pick | None) -> list[int]:
    """The trials whose training is drawn: the chosen one, then the members in their order."""
    members = [member.trial for member in view.members]
    return list(dict.fromkeys([*([chosen.point.trial] if chosen else []), *members]))


def _row(trial: TrialRecord, view: FrontView) -> TrialRow:
    bars = view.bars.get(trial.number, ErrorBars())
    sizes = {o.name: trial.params[o.name] for o in view.objectives if o.name in trial.params}
    values = {**sizes, **bars.shown(trial.values), **{f"test/{name}": value for name, value in trial.test.items()}}
    return TrialRow(
        trial.number,
        trial.outcome or "running",
        trial.params,
        values,
        trial.seconds or None,
        trial.cause or "",
        program=trial.program,
        bars=bars,
        ended_s=trial.ended_s if trial.outcome else None,
        spans=[_span(use) for use in trial.stages],
        paused=trial.paused,
        rung=trial.rung,
        rung_epoch=trial.rung_epochs[0] if trial.rung_epochs else 0,
    )


def baseline_rows(baselines: Sequence[Baseline]) -> list[BaselineRow]:
    """One row per system or repeated member: the means over its seeds, the last measurement of each seed."""
    named: dict[str, dict[int | None, Baseline]] = {}
    for event in baselines:
        named.setdefault(event.name, {})[event.seed] = event
    rows = []
    for name, by_seed in named.items():
        runs = [run for seed, run in by_seed.items() if seed is not None] or list(by_seed.values())
        spreads = {n: spread([r.values[n] for r in runs]) for n in runs[0].values if all(n in r.values for r in runs)}
        deviations = {n: s.deviation for n, s in spreads.items() if s.deviation is not None}
        rows.append(BaselineRow(name, {n: s.mean for n, s in spreads.items()}, runs[0].note, deviations, len(runs)))
    return rows


def _span(use: StageUse) -> Span:
    if use.reused:
        return Span(use.stage, 0.0, use.seconds, reused=True)
    return Span(use.stage, use.took_s, max(0.0, use.seconds - use.took_s))


def _note(recipe: Recipe, told: str = "", satisfied: str = "") -> str:
    pairs = recipe.assign.forced_pairs
    forced = f" The {pairs} most similar pairs of classes share all features but one." if pairs else ""
    limits = f" {satisfied[:1].upper()}{satisfied[1:]}." if satisfied else ""
    return _protocol(recipe) + forced + limits + (f" Caution: {told}." if told else "")


def _growth(view: FrontView) -> str:
    """What the hypervolume's scale is, and whether the front still moves."""
    if not view.scale:
        return ""
    moving = f" {view.moving[0].upper()}{view.moving[1:]}." if view.moving else ""
    return f" {view.volume[0].upper()}{view.volume[1:]}: {view.scale}.{moving}"


def _protocol(recipe: Recipe) -> str:
    if recipe.protocol == "paper":
        return "Trained on all of train and measured on test, as the published tables are."
    share = f"{100 * recipe.validation_fraction:.0f} %"
    return (
        f"Objectives are measured on {share} of the training images, held out; "
        "columns named test/... were measured once, for members of the front, and chose nothing."
    )
