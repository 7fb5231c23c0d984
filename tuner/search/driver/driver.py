"""The driver of a search: proposes, runs and records trials, measures the front, writes the derived files."""

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from tuner.base.progress import Progress
from tuner.base.steps import duration
from tuner.errors import TunerError
from tuner.recipe import Recipe, StageResources, objectives_of
from tuner.search.control.inbox import Inbox
from tuner.search.control.now import Now, published
from tuner.search.driver.confirming import Confirming
from tuner.search.driver.ctrl_c import finishing
from tuner.search.driver.finished import measured
from tuner.search.driver.instructions import Instructions, instructed_earlier
from tuner.search.driver.interrupts import Interrupts
from tuner.search.driver.learning import learned_from
from tuner.search.driver.outlook import Outlook
from tuner.search.driver.report_task import report_of_worker
from tuner.search.driver.shown import Shown
from tuner.search.driver.spending import Spending
from tuner.search.driver.time_limit import MEASURE_S, TimeUp, ring
from tuner.search.driver.tune_run import tune_run
from tuner.search.execute.banks import is_spread, n_classes_of
from tuner.search.execute.broker import start_broker
from tuner.search.execute.broker_handle import BrokerHandle, closing
from tuner.search.execute.broker_monitor import IDLE, SILENT, BrokerMonitor
from tuner.search.execute.messages import RunSnapshot
from tuner.search.outcome.confirmation_plan import announcement
from tuner.search.outcome.files import write_files
from tuner.search.outcome.measure import measure_front
from tuner.search.propose.proposer import Proposer
from tuner.search.propose.searcher import LedgerSearcher
from tuner.search.record.events import Ended, Event, Referenced, Reopened, Started, Suspended
from tuner.search.record.front_view import require_points
from tuner.search.record.home import SearchHome, versions
from tuner.search.record.reference import settled
from tuner.search.record.restoration import apply
from tuner.search.record.searched_banks import Bank
from tuner.search.session.connect import keep_keys_private, ray_for, scratch_folder
from tuner.search.stopping.promotion import promotions_left
from tuner.search.stopping.reopening import to_reopen
from tuner.search.watch.header import Place
from tuner.search.watch.trials_view import TrialsView
from tuner.store import Lease, LeaseHeldError


class Driver:
    """Runs the remaining trials of a search, once.

    Args:
        home: the search.
        recipe: what to run, budget included.
        bank: the feature bank.
        learn_from: names of other searches whose trials the proposals learn from.
        progress: receives progress messages.
        lease: the right to drive the search, checked before each write.
        interrupts: says whether Ctrl-C was pressed.
        only_confirm: run no trial, and confirm the whole front.
        since_s: when it took the lease, by the store's clock; None: now. Who says stop later means this driver.
    """

    def __init__(
        self,
        home: SearchHome,
        recipe: Recipe,
        bank: Bank,
        learn_from: Sequence[str],
        progress: Progress,
        lease: Lease,
        interrupts: Interrupts,
        *,
        only_confirm: bool = False,
        since_s: float | None = None,
    ) -> None:
        self.home, self.recipe, self.bank = home, recipe, bank
        self.progress, self.lease, self.interrupts = progress, lease, interrupts
        self.only_confirm = only_confirm
        self._broker: BrokerHandle | None = None
        self._resources: dict[str, StageResources] = {}
        self._refused: LeaseHeldError | None = None  # raised by the lease at a write
        self._phase = ""  # what it does, for people on other machines
        self._view: TrialsView | None = None
        self.started = time.monotonic()
        past: list[Event] = []
        with progress.step("reading the ledger"):
            home.ledger.begin(lease)
            self.state = home.state(recipe, past.append)
        self.lessons = learned_from(home, learn_from, recipe, bank, self.state, progress)
        if only_confirm and self.state.asked:
            recipe.budget.trials = self.state.asked[-1]  # what was asked for stays asked for
        self._reopening = [] if only_confirm else to_reopen(recipe, self.state)  # pruned trials that will go on
        self.asked = recipe.budget.trials
        recipe.budget.trials = self.state.in_force(self.asked)
        self.inbox = Inbox(home.store, home.name, self.state.instructed, progress.warn, since_s)
        self.instructions = self._instructions()
        self.spending = Spending(recipe, bank, self.state, only_confirm=only_confirm)
        self.outlook = Outlook(home, recipe, bank, self.state, progress, self.started)
        self.confirming = Confirming(home, recipe, bank, self.state, self.spending, only=only_confirm)
        self.shown = Shown(home, recipe.tracking, past, progress, lease.check)

    def run(self) -> bool:
        """Run the remaining trials; returns whether the user interrupted them.

        Raises:
            UsageError: trials remain, but an earlier version whose stages gave other results started the search.
            LeaseHeldError: the search was lost to another driver.
        """
        is_measured = measured(self.recipe, self.state)
        if self._trials_left() or not is_measured or self.only_confirm or self.inbox.old:
            self.home.require_this_code()
        if self.only_confirm:
            require_points(self.home.front(state=self.state))
            self.confirming.refuse()
        self._reopen()
        self.record(Started(time.time(), self._as_asked(), versions()))
        for lesson in self.lessons:
            self.record(lesson)
        self._settle_reference(ended=self.complete())
        if self._trials_left():
            for told_earlier in instructed_earlier(self.state, self.recipe, self.asked, self.home):
                self.progress.say(told_earlier)
        self.instructions.begin()
        self.instructions.heed()
        runs = self.confirming.left()
        interrupted = False
        trials = self._to_run()
        if trials and (announced := announcement(self.recipe)):
            self.progress.say(announced)
        if trials or (runs and not self.only_confirm):
            self.outlook.foresee()
        if trials or runs or (self.complete() and not is_measured):
            self._phase = "starting Ray"
            shared = published(self.home.store, self.home.name, self._now, self.progress.warn)
            with shared, ray_for(self.recipe.resources, self.progress) as resources:
                made = start_broker(self.home.store.url, scratch_folder(), resources, self.recipe.budget.retries)
                self._phase = "between two steps"
                with closing(made) as broker, self.inbox.open():
                    self._broker, self._resources = broker, resources
                    interrupted = self._conduct(broker)
                    while self.instructions.added and not interrupted and self._to_run():
                        interrupted = self._conduct(broker)  # trials that were added while the front was confirmed
            if self._trials_left():
                self.record(Suspended(time.time()))  # unfinished trials count towards search time as well
        return interrupted

    def _as_asked(self) -> dict[str, Any]:
        """The recipe of this run; one that only confirms leaves early stopping as it was, and reopens nothing."""
        found = replace(self.recipe, budget=replace(self.recipe.budget, trials=self.asked)).to_dict()
        return found | {"stopping": self.state.stopping} if self.only_confirm else found

    def _instructions(self) -> Instructions:
        """What people have instructed, with the means of this driver."""

        def skip(number: int, cause: str) -> None:
            if self._broker is not None:
                self._broker.skip(number, cause)

        n_classes = partial(n_classes_of, self.home.artifacts, self.bank)
        place = (self.inbox, self.recipe, self.state, n_classes)
        return Instructions(*place, self.record, skip, self.progress.say)

    def _reopen(self) -> None:
        """Let trials go on that were stopped early; written before the run starts, or its settings would hide them."""
        if self._reopening:
            self.record(Reopened(time.time(), tuple(self._reopening)))
            n = f"{len(self._reopening)} trial{'' if len(self._reopening) == 1 else 's'}"
            self.progress.say(f"by the present settings of early stopping, {n} that it had ended will go on")
            self._reopening = []

    def _settle_reference(self, *, ended: bool) -> None:
        """Record the reference point of the hypervolume as soon as it can be told."""
        found = settled(self.state, objectives_of(self.recipe), self.recipe.reference, ended=ended)
        if found is not None:
            self.record(Referenced(time.time(), dict(found.values), found.n_trials))

    def _trials_left(self) -> bool:
        """Whether this run has trials to run."""
        return not (self.only_confirm or self.complete())

    def _to_run(self) -> bool:
        """Whether the budget suffices for one of them."""
        return self._trials_left() and not self.spending.for_no_trial()

    @property
    def ended_by_limit(self) -> str:
        """A sentence if a limit of the budget has ended the search; else empty."""
        return "" if self.complete() else self.spending.told()

    def _conduct(self, broker: BrokerHandle) -> bool:
        """Run the trials, then measure and confirm the front; returns whether it was interrupted."""
        interrupted, self.instructions.added = False, False
        try:
            with self.spending.whole_limit.enforced():
                if self._to_run():
                    interrupted = self._tune(broker)
                if not interrupted:
                    broker.go_on()
                    self._phase = "measuring the front on the test split"
                    within_s = MEASURE_S if self.spending.whole_limit.reached else math.inf
                    place = (self.recipe, self.bank, self.state)
                    measure_front(*place, broker, self.record, self.progress, within_s)
                    interrupted = self._confirm(broker)
        except TimeUp:
            words = "the stages running when the time limit was reached did not end, and were abandoned"
            self.progress.warn(words)
        return interrupted

    def _now(self) -> Now:
        """What it does at this moment."""
        if self._view is not None:
            return self._view.now()
        n, left_s = sum(len(trial.confirmations) for trial in list(self.state.trials.values())), self.outlook.left_s()
        done = f", {n} {'run' if n == 1 else 'runs'} ended" if self._phase.startswith("confirming") else ""
        eta = "" if left_s is None else f" | ETA {duration(left_s)}"
        return Now(f"{self._phase}{done}{eta}", {})

    def _confirm(self, broker: BrokerHandle) -> bool:
        """Confirm the front; returns whether it was interrupted.

        Raises:
            LeaseHeldError: another driver took the search over.
        """
        stopped = False
        self._phase = "confirming the front"

        def look() -> None:
            nonlocal stopped
            self.instructions.heed()
            if not stopped and (self._asked_to_stop() or self.lease.lost or self.spending.all_stopped()):
                stopped = True
                broker.stop()
            if self.spending.whole_limit.overdue or self.instructions.stopped_now:
                broker.call_off()

        if not self.confirming.run(broker, self.record, look, self.progress, self.interrupts, self.outlook.left_s):
            return False
        self.lease.check()
        return self._asked_to_stop()

    def publish(self) -> tuple[dict[str, str], str]:
        """Write the derived files; returns their locations by name, and MLflow's address or its problem."""
        report = partial(report_of_worker, self.home, self.progress) if is_spread() else None
        files = write_files(self.home, self.state, self.progress, self.lease.check, report)
        return files, self.shown.finish(self.state, files.values())

    def close(self) -> None:
        """Close the ledger, and end the mirror's process."""
        self.home.ledger.end()
        self.shown.close()

    def record(self, event: Event) -> None:
        """Append an event to the ledger, then apply it to the state and the mirror.

        Raises:
            LeaseHeldError: another driver took the search over; nothing more is written.
        """
        try:
            self.home.append(event)
        except LeaseHeldError as error:
            self._refused = error
            raise
        apply(self.state, event, self.state.elapsed_s + time.monotonic() - self.started)
        self.shown.take(event)
        if isinstance(event, Ended):
            self.spending.keep()
            self._settle_reference(ended=self.complete())
            self.shown.keep_place()
            for damage in event.remade:
                self.progress.warn(f"trial {event.trial}: {damage}; it was recreated")

    def complete(self) -> bool:
        """Whether the budget is spent and every trial has ended."""
        left = self._reopening or self.state.open() or self.state.missing(self.recipe.budget.trials)
        return not (left or promotions_left(self.recipe, self.state))

    @property
    def stopped_by(self) -> str:
        """Who has instructed the search to stop; empty: nobody."""
        return self.instructions.stopped.by if self.instructions.stopped is not None else ""

    def _asked_to_stop(self) -> bool:
        """Whether a person asked for the end, by Ctrl-C or by an instruction."""
        return self.interrupts.asked or self.instructions.stopped is not None

    def _stopping(self) -> bool:
        return self._asked_to_stop() or self.lease.lost or self.spending.trials_stopped()

    def _tune(self, broker: BrokerHandle) -> bool:
        """Let Ray Tune run the trials; returns whether it was interrupted.

        Raises:
            KeyboardInterrupt: the user did not wait for the running stages.
            LeaseHeldError: another driver took the search over.
        """
        n_classes = n_classes_of(self.home.artifacts, self.bank)
        proposer = Proposer(self.recipe, n_classes, list(self.state.learned.values()))
        asked = (self._stopping, self.spending.enough, self.instructions.heed, self.spending.spent_out)
        searcher = LedgerSearcher(self.recipe, self.bank, self.state, proposer, self.record, broker, *asked)
        self.instructions.trials = searcher
        look = partial(self._look, BrokerMonitor(broker), searcher)
        place = Place(self.home.name, self.home.store.url, self.shown.place)
        shown = (place, self._resources, self.started, self.outlook.expected, self._asked_to_stop)
        view = TrialsView(self.state, self.recipe, look, *shown)
        keep_keys_private()
        try:
            with tempfile.TemporaryDirectory(prefix="qpm-tuner-tune-", ignore_cleanup_errors=True) as scratch:
                made = tune_run(self.home.name, searcher, broker, self.recipe.budget.retries, Path(scratch))
                self._view = view
                with self.interrupts.gently(lambda: finishing(view.running)), self.progress.live(view):
                    made.fit()
        except KeyboardInterrupt:  # TimeUp, or the exception into which Ray turned it
            if not searcher.halted:
                raise
        finally:
            self.instructions.trials = self._view = None
        if self._refused is not None:
            raise self._refused
        if searcher.exhausted and not self.state.open():
            self._settle_reference(ended=True)
        if searcher.halted:
            raise TunerError(
                searcher.halted,
                "a reachable store with free space, an intact feature bank, and a head node that stays up",
                "fix the cause and run the same command again: a damaged bank is extracted again, nothing is lost",
            )
        self.lease.check()
        return self._asked_to_stop() or not (self.complete() or searcher.exhausted or self._stopping())

    def _look(self, monitor: BrokerMonitor, searcher: LedgerSearcher) -> list[RunSnapshot]:
        """The running stages, for display; also tells the broker when it is time to end."""
        if self._stopping():
            monitor.broker.stop()
        if self.spending.limit.overdue or self.instructions.stopped_now:
            monitor.broker.call_off()
        stages = monitor.runs()
        if self.state.paused is not None:  # so nothing needs to run
            monitor.idle_s = 0.0
        if monitor.lost and not searcher.halted:
            searcher.halted = SILENT
            monitor.broker.kill()
        if monitor.idle and not searcher.halted:
            searcher.halted = IDLE
            ring()
        return stages
