"""When a run counts as hung: after long silence, never for being slow; and which process may be ended for it."""

import os
import signal
import subprocess
import sys

import pytest

from tests.searches import tiny_recipe
from tuner.base.processes import started_at
from tuner.errors import UsageError
from tuner.search.execute.attempts import NODE_LOSSES, Attempts
from tuner.search.execute.hang_detector import LOOK_S, SILENCE_S, HangDetector, HungError, Worker, is_at
from tuner.search.execute.plan import StageSpec
from tuner.search.execute.stage_run import StageRun
from tuner.search.session.connect import settle_resources


class Watched:
    """A vigil over one run, looked at as often as the broker looks."""

    def __init__(self, stage="dense", timeout_s=-1.0, deadline_s=0.0):
        self.detector, self.stage, self.now_s = HangDetector({stage: timeout_s}), stage, 1000.0
        self.detector.overdue(self.now_s)
        self.detector.begin("key", stage, self.now_s, deadline_s)

    def passes(self, seconds, sign_every_s=None):
        """Let time pass; returns what the run is found guilty of, and after how long."""
        until_s, next_s = self.now_s + seconds, self.now_s + (sign_every_s or 2 * seconds)
        began_s = self.now_s
        while self.now_s < until_s:
            self.now_s += LOOK_S
            if self.now_s >= next_s:
                self.detector.alive("key", self.now_s)
                next_s += sign_every_s
            if troubles := self.detector.overdue(self.now_s):
                return troubles["key"], self.now_s - began_s
        return None


def test_silence_of_ten_minutes_is_a_hang_and_slowness_is_none():
    assert Watched().passes(SILENCE_S - LOOK_S) is None
    trouble, after_s = Watched().passes(2 * SILENCE_S)
    assert after_s == pytest.approx(SILENCE_S, abs=2 * LOOK_S)
    assert trouble == f"sent no heartbeat for {after_s:.0f} s (limit 600 s)"
    slow = Watched()
    assert slow.passes(40 * SILENCE_S, sign_every_s=500.0) is None


def test_a_stage_that_was_seen_to_need_long_steps_is_given_longer_and_its_next_runs_too():
    watched = Watched()
    assert watched.passes(130.0, sign_every_s=100.0) is None
    watched.detector.end("key")
    watched.detector.begin("key", "dense", watched.now_s)
    _, after_s = watched.passes(10_000.0)
    assert after_s == pytest.approx(2000.0, abs=10.0)


def test_the_program_may_be_silent_until_its_own_deadline():
    assert Watched("assign", deadline_s=3600.0).passes(3600.0) is None
    trouble, after_s = Watched("assign", deadline_s=3600.0).passes(10_000.0)
    assert after_s < 1.1 * 3600.0
    assert "no heartbeat" in trouble


def test_a_limit_by_the_user_counts_wall_time_whatever_is_heard():
    trouble, after_s = Watched(timeout_s=100.0).passes(500.0, sign_every_s=5.0)
    assert after_s == pytest.approx(100.0, abs=2 * LOOK_S)
    assert trouble.endswith("(limit 100 s)")
    assert trouble.startswith("ran for ")
    assert Watched(timeout_s=0.0).passes(100 * SILENCE_S) is None, "0: never"
    assert Watched(timeout_s=5000.0).passes(4990.0) is None, "silence does not matter where there is a limit"


def test_a_broker_that_was_stopped_itself_blames_nobody():
    watched = Watched()
    watched.passes(100.0)
    watched.now_s += 5 * SILENCE_S  # neither could it hear anything
    assert watched.detector.overdue(watched.now_s) == {}
    assert watched.passes(SILENCE_S - 100.0 - 2 * LOOK_S) is None
    assert watched.passes(300.0) is not None, "but its own silence goes on counting"


def test_who_waits_for_room_or_has_ended_is_not_watched():
    watched = Watched()
    watched.detector.end("key")
    assert watched.passes(10 * SILENCE_S) is None
    assert watched.detector.quiet_s("key", watched.now_s) == 0.0


@pytest.mark.parametrize("retries", [0, 2])
def test_a_stage_that_hangs_in_every_attempt_says_where_and_for_how_long(retries):
    run, attempts = StageRun(StageSpec("dense", {}, {}, 0), 3, None), Attempts(retries)
    for _ in range(retries):
        run.trouble = "sent no heartbeat for 612 s (limit 600 s)"
        attempts.count(run, RuntimeError())
        run.again()
        assert run.trouble is None
    run.trouble = "sent no heartbeat for 612 s (limit 600 s)"
    told = "1 attempt" if retries == 0 else "3 attempts"
    with pytest.raises(HungError, match=rf"^stage dense sent no heartbeat for 612 s \(limit 600 s\) on {told}$"):
        attempts.count(run, RuntimeError())


def test_deaths_and_hangs_are_counted_apart():
    run, attempts = StageRun(StageSpec("dense", {}, {}, 0), 3, None), Attempts(retries=1)
    for _ in range(NODE_LOSSES):
        attempts.count(run, ValueError("died"))
    run.trouble = "hung"
    attempts.count(run, ValueError("died"))
    run.again()
    with pytest.raises(ValueError, match="died"):
        attempts.count(run, ValueError("died"))


def test_only_that_very_process_at_that_very_task_is_ended():
    code = "import sys, time; print('up', flush=True); time.sleep(60)"
    with subprocess.Popen(["ray::dense-1", "-c", code], executable=sys.executable, stdout=subprocess.PIPE) as other:
        try:
            other.stdout.readline()
            title = f"dense-1 -c {code}"
            here = Worker("node", other.pid, started_at(other.pid))
            assert is_at(here, title)
            os.kill(other.pid, signal.SIGSTOP)
            assert is_at(here, title), "a stopped process is still there"
            assert not is_at(here, "dense-2"), "it has gone on to something else"
            assert not is_at(Worker("node", other.pid, "1"), title), "its id was given out again"
        finally:
            other.kill()
    assert not is_at(here, title)


def test_the_limits_of_a_recipe_reach_the_broker():
    recipe = tiny_recipe("resources.dense.timeout_s=90", "resources.assign.timeout_s=0")
    settled = settle_resources(recipe.resources, {"CPU": 2.0}, grows=False)
    timeouts = {stage: need.timeout_s for stage, need in settled.items()}
    of_trials = {"dense": 90.0, "assign": 0.0, "rung": -1.0, "finetune": -1.0, "evaluate": -1.0}
    of_systems = {"probe": 90.0, "sldd": -1.0, "qsenn": -1.0, "resnet": 90.0, "resnet_qpm": -1.0}
    assert timeouts == {"bank": -1.0} | of_trials | of_systems


@pytest.mark.parametrize("value", ["timeout_s=-2", "timeout_s=-0.5", "timeout_s=-1.5", "gpus=-0.5", "cpus=-1"])
def test_no_other_negative_number_means_automatic(value):
    with pytest.raises(UsageError, match=rf"resources\.dense\.{value}"):
        tiny_recipe(f"resources.dense.{value}")


@pytest.mark.parametrize("value", ["cpus=1e-09", "gpus=1e-05", "gpus=1.5"])
def test_shares_that_ray_would_refuse_are_refused_at_once(value):
    with pytest.raises(UsageError, match=rf"resources\.assign\.{value}"):
        tiny_recipe(f"resources.assign.{value}")
