"""`front --watch`: the front on the whole terminal, drawn again at each change; in a pipe one line per change."""

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence

from rich.console import Group
from rich.live import Live

from jobs.output import CLOCK, readable, terminal
from tuner.base.tables import plain_line
from tuner.errors import UsageError
from tuner.front.pareto import Objective
from tuner.search.record.home import SearchHome
from tuner.search.watch.following import EVERY_S, Look, follow
from tuner.search.watch.front_table import front_table

LINE = 160  # columns of a line in a log
SHORTEST_S, LONGEST_S = 0.1, 3600.0
NEWEST = 3  # news shown below the table


def watch(home: SearchHome, objectives: Sequence[Objective] | None, arguments: argparse.Namespace) -> int:
    """Show the front until nobody drives the search any more; returns the exit code.

    Raises:
        UsageError: the time between looks makes no sense, or is given without --watch.
    """
    every_s = EVERY_S if arguments.every is None else arguments.every
    if not arguments.watch:
        raise UsageError(f"--every {every_s:g} without --watch", "both, or neither", "add --watch")
    if not (math.isfinite(every_s) and SHORTEST_S <= every_s <= LONGEST_S):
        raise UsageError(f"--every {every_s:g}", f"{SHORTEST_S:g} to {LONGEST_S:g} seconds", "correct it")
    console = terminal()
    last: Look | None = None
    if arguments.json or not console.is_terminal:
        for last in follow(home, objectives, every_s=every_s):
            print_change(last, as_json=arguments.json)
    else:
        with Live(console=console, screen=True, auto_refresh=False, vertical_overflow="crop") as live:
            for last in follow(home, objectives, every_s=every_s, tick=live.refresh):
                live.update(drawn(home, last), refresh=True)
    assert last is not None, "there is a look at the beginning"
    if console.is_terminal and not arguments.json:
        console.print(front_table(last.view, last.state), soft_wrap=True)
    print(last.end(), file=sys.stderr)
    return 1 if last.driver.name else 0


def print_change(look: Look, *, as_json: bool) -> None:
    """What is new, a line each with the time; as JSON one document on one line."""
    if as_json:
        told = [{"time_s": news.time_s, "text": news.text} for news in look.news]
        driver = look.driver.name or None
        print(json.dumps(look.view.to_dict() | {"driver": driver, "news": told}, allow_nan=False), flush=True)
        return
    for news in look.news:
        clock = time.strftime(CLOCK, time.localtime(news.time_s))
        line = readable(f"{clock} {news.text}")
        print(line if len(line) <= LINE else f"{line[: LINE - 1]}…", flush=True)


def drawn(home: SearchHome, look: Look) -> Group:
    """The whole screen: the search in a line, its front, and the newest news."""
    clock = time.strftime(CLOCK)
    first = plain_line(f"{clock}  {home.name} in {home.store.url}: {look.line()}", style="bold")
    newest = [plain_line(news.text, style="dim") for news in look.news[-NEWEST:]]
    return Group(first, front_table(look.view, look.state), *newest)
