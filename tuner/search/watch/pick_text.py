"""A choice as text: its reason, its price against named alternatives, and the candidates of a front side by side."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType

from tuner.base.tables import Column, FittedTable, note
from tuner.front import confirmation, uncertainty, words
from tuner.front.candidates import SIZES, Candidate
from tuner.front.confirmation import ErrorBars, verdict
from tuner.front.difference import NOISE, RUN_ONCE, Price
from tuner.front.pareto import Objective
from tuner.front.pick import Pick
from tuner.search.record.front_view import FrontView
from tuner.search.record.state import SearchState
from tuner.search.watch.texts import figure, heading, number

ON_TEST = "on test, measured once and no part of the choice"


def price_lines(chosen: Pick) -> list[str]:
    """What the choice costs and brings against each alternative, and what ± means there."""
    if not chosen.prices:
        return []
    lines = [price.sentence() for price in chosen.prices]
    return [*lines, *noise_notes(chosen.prices)]


def noise_notes(prices: Sequence[Price]) -> list[str]:
    """What ± means beside differences."""
    once = [RUN_ONCE] if any(price.run_once for price in prices) else []
    return ["; ".join([NOISE, *once])]


def test_line(objectives: Sequence[Objective], test: Mapping[str, float]) -> str:
    """The values of a model on the test split, as context; empty where it was not measured there."""
    known = [o for o in objectives if o.name in test]
    if not known:
        return ""
    told = []
    for o in known:
        error, n = uncertainty.error(o.name, test), uncertainty.images(o.name, test)
        noise = "" if error is None else f" ± {uncertainty.plus_minus(error)}"
        counted = f" (n = {n})" if n else ""
        told.append(f"{words.name(o.name)} {words.number(test[o.name], o.unit)}{noise} {o.unit}".rstrip() + counted)
    return f"{ON_TEST}: {words.listing(told)}"


def candidates_table(
    view: FrontView, state: SearchState, candidates: Sequence[Candidate], prices: Mapping[int, Price]
) -> Group:
    """The candidates, one per row, with their differences from the first one.

    Args:
        view: the front.
        state: of the search.
        candidates: of the front.
        prices: of each candidate after the first one, against the first one.
    """
    points = [c.point for c in candidates]
    first = points[0].trial
    columns = [
        Column("trial", [str(p.trial) for p in points], weight=9),
        Column("what it is", [c.role for c in candidates], weight=8, words=True, narrowest=14),
    ]
    for o in view.objectives:
        columns.append(
            Column(heading(o.name), [figure(o.name, p.values.get(o.name), p.error(o.name)) for p in points], 8)
        )
        if len(points) > 1:
            told = {t: d.cell() for t, price in prices.items() for d in price.differences if d.metric == o.name}
            columns.append(Column(f"against trial {first}", [told.get(p.trial, "") for p in points], weight=7))
    sizes = [s for s in SIZES if s in points[0].params and s not in [o.name for o in view.objectives]]
    columns += [Column(heading(s), [number(p.params.get(s)) for p in points], weight=6) for s in sizes]
    if view.confirmed():
        bars = [view.bars.get(p.trial, ErrorBars()) for p in points]
        columns.append(Column("beyond noise", [verdict(e) for e in bars], weight=6))
    columns += [
        Column(heading(f"test/{o.name}"), [_on_test(o.name, state, p.trial) for p in points], weight=4)
        for o in view.objectives
        if any(o.name in state.trials[p.trial].test for p in points)
    ]
    n = len(view.members)
    lines: list[RenderableType] = [FittedTable(columns)]
    all_of = f"all {n} members of the front" if n == len(points) else f"{len(points)} of the {n} members of the front"
    lines.append(note(all_of))
    rule = confirmation.RULE if any(p.errors for p in points) else uncertainty.RULE
    lines.append(note(rule))
    lines += [note(f"against trial {first}: {line}") for line in (noise_notes(list(prices.values())) if prices else [])]
    return Group(*lines, *([note(view.caution)] if view.caution else []))


def _on_test(name: str, state: SearchState, trial: int) -> str:
    test = state.trials[trial].test
    return figure(name, test.get(name), uncertainty.error(name, test))
