"""The broker: its book-keeping of damaged artifacts, and rows of stages in real Ray tasks whose workers die."""

import asyncio
import contextlib
import json
import os
import re
import signal
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
import ray

from tests.searches import tiny_recipe
from tuner.recipe import StageResources
from tuner.search.execute.attempts import NODE_LOSSES
from tuner.search.execute.broker import StageBroker
from tuner.search.execute.hang_detector import this_worker
from tuner.search.execute.messages import StageResult
from tuner.search.execute.plan import StageSpec
from tuner.search.session.connect import connect_ray
from tuner.store import Artifacts, open_artifacts, open_store

SPEC = StageSpec("dense", {}, {}, 0)
STAGES = ("dense", "assign", "finetune", "evaluate")
VALUES = {"accuracy": 50.0}


@pytest.fixture
def artifacts(tmp_path):
    return Artifacts(open_store(str(tmp_path / "store")))


@pytest.fixture
def broker(artifacts, tmp_path):
    return StageBroker(artifacts.store.url, str(tmp_path), {})


@pytest.fixture
def publish(artifacts, tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "model").write_text("weights")
    return lambda: artifacts.publish(SPEC.kind, SPEC.key, tmp_path / "made", {"seconds": 1.0})


def test_a_stored_stage_is_reused_and_a_damaged_one_removed(broker, artifacts, publish):
    publish()
    result, use = asyncio.run(broker.use([SPEC], 0))
    assert (result.outcome, use.reused, use.saved_s) == ("complete", True, 1.0)
    broker.runs.remove(SPEC.kind, SPEC.key, time.monotonic())
    assert artifacts.find(SPEC.kind, SPEC.key) is None


def test_what_was_made_again_since_stays(broker, artifacts, publish):
    """Two trials meet the same damage; the slower one must not remove what the faster one had made again."""

    async def story():
        seen_s = time.monotonic()
        broker.runs.remove(SPEC.kind, SPEC.key, seen_s)
        run = broker.runs.add(SPEC, 0)
        publish()
        broker.runs.remove(SPEC.kind, SPEC.key, seen_s)  # it is being made
        assert artifacts.find(SPEC.kind, SPEC.key) is not None
        broker.runs.settle([run], StageResult("complete", 1.0, trial=0))
        broker.runs.remove(SPEC.kind, SPEC.key, seen_s)  # it has been made
        assert artifacts.find(SPEC.kind, SPEC.key) is not None
        broker.runs.remove(SPEC.kind, SPEC.key, time.monotonic())  # damaged once more
        assert artifacts.find(SPEC.kind, SPEC.key) is None

    asyncio.run(story())


def test_no_outcome_while_a_coordinator_is_about_to_start(broker, monkeypatch):
    """Ray Tune would start processes for ever; and a coordinator that never comes may hold up nobody for ever."""

    async def story():
        for trial in (0, 1):
            await broker.expect(trial)
            await broker.hand_out(trial, None)
        first = asyncio.create_task(broker.outcome(0))
        assert not (await asyncio.wait([first], timeout=0.1))[0]
        assert await broker.outcome(1) is None
        assert await first is None
        await broker.hand_out(2, None)
        late = asyncio.create_task(broker.outcome(2))  # it asks before the driver's word has come
        await broker.expect(2)
        await asyncio.wait_for(late, 20.0)
        await broker.expect(3)  # and never comes
        await broker.hand_out(4, None)
        monkeypatch.setattr("tuner.search.execute.trial_queue.START_S", 0.1)
        await asyncio.wait_for(broker.outcome(4), 20.0)

    asyncio.run(story())


def test_what_the_driver_has_written_down_is_forgotten(broker):
    """A broker that kept every trial's outcome would grow with the search."""

    async def story():
        await broker.expect(0)
        await broker.hand_out(0, None)
        assert await broker.outcome(0) is None
        assert await broker.outcome(0) is None  # its coordinator died, the next one asks again
        await broker.forget(0)
        assert len(broker.queue) == 0

    asyncio.run(story())


class Mortal(StageBroker):
    """Stages that publish a file, note that they ran, and may die before or after."""

    def _start(self, specs, options):
        me = ray.get_runtime_context().current_actor
        return mortal_stages.options(**options).remote(specs, self._url, self._scratch, me)


@ray.remote(num_returns="streaming", max_retries=0)
def mortal_stages(specs, url, scratch, broker):
    granted, instead = ray.get(broker.begin.remote([spec.key for spec in specs], this_worker()))
    if instead is not None:
        yield instead
    for spec in specs[:granted]:
        notes = Path(scratch) / "ran"
        with notes.open("a") as file:
            file.write(f"{spec.stage} {os.getpid()}\n")
        runs = notes.read_text().split().count(spec.stage)
        if spec.settings.get("dies_before", 0) >= runs:
            os._exit(1)
        if spec.settings.get("hangs", 0) >= runs:
            while spec.stage not in (run.stage for run in ray.get(broker.snapshot.remote()) if run.begun):
                time.sleep(0.05)  # the broker knows by itself what a worker is at, or waits for ever
            os.kill(os.getpid(), signal.SIGSTOP)  # as a stuck solver, GPU or disk: nobody answers
        while not (Path(scratch) / spec.settings.get("waits_for", "ran")).exists():
            time.sleep(0.01)
        if "outcome" in spec.settings:
            yield StageResult(spec.settings["outcome"], 1.0, "told so")
            return
        made = Path(scratch) / spec.key
        made.mkdir(exist_ok=True)
        (made / "values.json").write_text(json.dumps(VALUES))
        open_artifacts(url).publish(spec.kind, spec.key, made, {"seconds": 1.0})
        if spec.settings.get("dies_after"):
            os._exit(1)
        yield StageResult("complete", 1.0, values=VALUES)


@pytest.fixture(scope="module")
def running_ray():
    with connect_ray(tiny_recipe().resources):
        yield


@pytest.fixture
def conduct(artifacts, tmp_path, running_ray):
    """Takes rows of stages, a trial each, through a broker at once; returns their records and who ran what where."""

    def run(*rows, assign_cpus=1.0, retries=2, timeout_s=-1.0):
        need = {stage: StageResources(1.0, 0.0) for stage in STAGES} | {"assign": StageResources(assign_cpus, 0.0)}
        need["finetune"] = StageResources(1.0, 0.0, timeout_s)
        broker = ray.remote(Mortal).options(num_cpus=0).remote(artifacts.store.url, str(tmp_path), need, retries)
        records = ray.get([broker.run_trial.remote(trial, list(row)) for trial, row in enumerate(rows)])
        assert ray.get(broker.snapshot.remote()) == []
        ray.get(broker.close.remote())
        assert list(artifacts.store.list("claims/")) == [], "nothing is left of a broker's claims"
        ran = [line.split() for line in (tmp_path / "ran").read_text().splitlines()]
        return records, Counter(stage for stage, _ in ran), dict(ran)

    return run


def row(**settings):
    """Four stages; `settings` by stage."""
    return [StageSpec(stage, settings.get(stage, {}), {}, 0) for stage in STAGES]


cluster = pytest.mark.cluster


@cluster
def test_stages_with_equal_needs_share_a_task_and_others_do_not(conduct):
    (record,), ran, workers = conduct(row())
    assert record.outcome == "complete"
    assert [use.reused for use in record.stages] == [False] * 4
    assert ran == dict.fromkeys(STAGES, 1)
    assert len(set(workers.values())) == 1


@cluster
def test_two_trials_with_common_stages_run_them_once(conduct):
    other = [*row()[:3], StageSpec("evaluate", {"other": 1}, {}, 0)]
    records, ran, _ = conduct(row(), other, assign_cpus=0.5)
    assert [r.outcome for r in records] == ["complete"] * 2
    assert ran == {"dense": 1, "assign": 1, "finetune": 1, "evaluate": 2}
    for position in range(3):
        assert sum(r.stages[position].reused for r in records) == 1


@cluster
def test_a_worker_that_dies_costs_no_finished_stage(conduct):
    (record,), ran, _ = conduct(row(finetune={"dies_before": 2}))
    assert record.outcome == "complete"
    assert ran == {"dense": 1, "assign": 1, "finetune": 3, "evaluate": 1}


@cluster
def test_a_worker_that_dies_after_publishing_costs_nothing(conduct):
    (record,), ran, _ = conduct(row(assign={"dies_after": True}))
    assert record.outcome == "complete"
    assert ran == dict.fromkeys(STAGES, 1)


@cluster
def test_a_stage_that_dies_every_time_fails_its_trial_alone(conduct):
    records, ran, _ = conduct(row(finetune={"dies_before": 99}), row())
    assert [r.outcome for r in records] == ["failed", "complete"]
    assert records[0].stage == "finetune"
    assert records[0].cause == "its worker died repeatedly, perhaps for lack of memory"
    assert ran["dense"] == ran["assign"] == ran["evaluate"] == 1
    assert ran["finetune"] == NODE_LOSSES + 2


@cluster
def test_what_follows_a_failed_stage_does_not_run(conduct):
    (record,), ran, _ = conduct(row(assign={"outcome": "infeasible"}))
    assert (record.outcome, record.stage, record.cause) == ("infeasible", "assign", "told so")
    assert ran == {"dense": 1, "assign": 1}


@cluster
def test_a_stop_lets_end_what_has_begun_and_calls_off_what_waits_or_would_follow(artifacts, tmp_path, running_ray):
    all_cpus = ray.cluster_resources()["CPU"]
    need = {stage: StageResources(all_cpus, 0.0) for stage in STAGES}
    broker = ray.remote(Mortal).options(num_cpus=0).remote(artifacts.store.url, str(tmp_path), need)
    rows = [row(dense={"waits_for": "go", "number": n}, assign={"waits_for": "never"}) for n in range(2)]
    records = [broker.run_trial.remote(trial, list(stages)) for trial, stages in enumerate(rows)]
    while sum(run.begun for run in ray.get(broker.snapshot.remote())) < 1:
        time.sleep(0.02)
    ray.get(broker.stop.remote())
    (tmp_path / "go").touch()
    ended = ray.get(records)
    assert [record.outcome for record in ended] == ["called off"] * 2
    assert sorted((record.stage, len(record.stages)) for record in ended) == [("assign", 1), ("dense", 0)]
    assert set((tmp_path / "ran").read_text().split()[::2]) <= {"dense", "assign"}, "it may draw breath, not more"
    assert [artifacts.find(stages[0].kind, stages[0].key) is not None for stages in rows].count(True) == 1
    late = ray.get(broker.run_trial.remote(2, list(row(dense={"number": 2}))))
    assert late.outcome == "called off"
    assert ray.get(broker.snapshot.remote()) == []


@cluster
def test_a_stage_that_hangs_is_ended_and_tried_again_and_what_it_held_comes_free(conduct):
    cpus = ray.cluster_resources()["CPU"]
    (record,), ran, _ = conduct(row(finetune={"hangs": 1}), timeout_s=2.0)
    assert record.outcome == "complete"
    assert ran == {"dense": 1, "assign": 1, "finetune": 2, "evaluate": 1}
    deadline_s = time.monotonic() + 30.0
    while ray.available_resources().get("CPU") != cpus:
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


@cluster
def test_a_stage_that_hangs_every_time_fails_all_that_wait_for_it_and_nobody_else(conduct):
    doomed = row(finetune={"hangs": 99})
    other = [*doomed[:3], StageSpec("evaluate", {"other": 1}, {}, 0)]
    records, ran, _ = conduct(doomed, other, row(), retries=1, timeout_s=2.0)
    assert [record.outcome for record in records] == ["failed", "failed", "complete"]
    for record in records[:2]:
        assert record.stage is None, "the machine's trouble: nothing is learnt of the parameters"
        assert re.fullmatch(r"stage finetune ran for \d+ s \(limit 2 s\) on 2 attempts", record.cause)
    assert ran["finetune"] == 3


@cluster
def test_what_hangs_when_the_search_ends_is_called_off_and_ended(artifacts, tmp_path, running_ray):
    need = {stage: StageResources(1.0, 0.0) for stage in STAGES}
    broker = ray.remote(Mortal).options(num_cpus=0).remote(artifacts.store.url, str(tmp_path), need)
    waiting = broker.run_trial.remote(0, row(assign={"hangs": 99}))
    while "assign" not in (tmp_path / "ran").read_text() if (tmp_path / "ran").exists() else True:
        time.sleep(0.05)
    pid = int((tmp_path / "ran").read_text().split()[-1])
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    ray.get(broker.call_off.remote(), timeout=60)
    record = ray.get(waiting, timeout=30)
    assert (record.outcome, record.stage) == ("called off", "assign")
    assert len(record.stages) == 1, "what had ended is kept"
    deadline_s = time.monotonic() + 30.0
    while psutil.pid_exists(pid):
        assert time.monotonic() < deadline_s, "the stopped worker is still there"
        time.sleep(0.1)
    ray.get(broker.go_on.remote())
    assert ray.get(broker.run_trial.remote(1, row(assign={"other": 1})), timeout=60).outcome == "complete"


@cluster
@pytest.mark.timeout(900)
def test_a_skipped_trial_ends_and_its_stages_run_on_only_where_another_trial_waits(artifacts, tmp_path, running_ray):
    need = {stage: StageResources(1.0, 0.0) for stage in STAGES}
    broker = ray.remote(Mortal).options(num_cpus=0).remote(artifacts.store.url, str(tmp_path), need)

    def begin(trial, stages):
        ray.get(broker.hand_out.remote(trial, stages))
        return broker.outcome.remote(trial)

    first = row(dense={"waits_for": "go"}, assign={"waits_for": "never"})
    common = [begin(0, first), begin(1, [first[0], *row()[1:]])]
    until(lambda: [(run.begun, run.waiting) for run in ray.get(broker.snapshot.remote())] == [(True, (0, 1))])
    ray.get(broker.skip.remote(0, "skipped by ada"))
    skipped = ray.get(common[0], timeout=240)
    assert (skipped.outcome, skipped.stage, skipped.cause) == ("skipped", "dense", "skipped by ada")
    assert [run.waiting for run in ray.get(broker.snapshot.remote())] == [(1,)], "the other one still waits for it"
    (tmp_path / "go").touch()
    assert ray.get(common[1], timeout=240).outcome == "complete"
    until(lambda: ray.get(broker.snapshot.remote()) == [])
    assert artifacts.find(first[1].kind, first[1].key) is None

    alone = begin(2, row(dense={"waits_for": "never"}))
    until(lambda: [run.begun for run in ray.get(broker.snapshot.remote())] == [True])
    ray.get(broker.skip.remote(2, "skipped by ada"))
    assert ray.get(alone, timeout=240).outcome == "skipped"
    assert ray.get(broker.snapshot.remote()) == []
    until(lambda: ray.available_resources().get("CPU") == ray.cluster_resources()["CPU"])
    ray.get(broker.close.remote())
    assert list(artifacts.store.list("claims/")) == []


@pytest.fixture
def two_brokers(artifacts, tmp_path, running_ray):
    """Those of two searches at once in one store."""
    need = {stage: StageResources(0.5, 0.0) for stage in STAGES}
    made = [ray.remote(Mortal).options(num_cpus=0).remote(artifacts.store.url, str(tmp_path), need) for _ in range(2)]
    yield made
    for broker in made:
        with contextlib.suppress(ray.exceptions.RayError):
            ray.get(broker.close.remote())
            ray.kill(broker)
    killed = list(artifacts.store.list("claims/beats/"))
    assert killed or not list(artifacts.store.list("claims/")), "nothing is claimed any more"


def ran(tmp_path):
    return Counter((tmp_path / "ran").read_text().split()[::2]) if (tmp_path / "ran").exists() else Counter()


def until(reached):
    deadline_s = time.monotonic() + 120.0
    while not reached():
        assert time.monotonic() < deadline_s
        time.sleep(0.05)


def elsewhere(broker):
    return [run.elsewhere for run in ray.get(broker.snapshot.remote()) if run.elsewhere]


@cluster
def test_two_searches_at_once_run_their_common_stages_once(two_brokers, tmp_path):
    one, two = two_brokers
    common = row(dense={"waits_for": "go"})
    other = [*common[:3], StageSpec("evaluate", {"other": 1}, {}, 0)]
    first = one.run_trial.remote(0, common)
    until(lambda: ran(tmp_path))
    second = two.run_trial.remote(7, other)
    until(lambda: elsewhere(two))
    assert re.match(r"\S+ pid \d+", elsewhere(two)[0]), "the screen says who runs it"
    (tmp_path / "go").touch()
    records = ray.get([first, second], timeout=120)
    assert [record.outcome for record in records] == ["complete"] * 2
    assert ran(tmp_path) == {"dense": 1, "assign": 1, "finetune": 1, "evaluate": 2}
    assert [use.reused for use in records[1].stages] == [True, True, True, False]


@cluster
def test_what_another_search_did_not_get_done_is_run_here(two_brokers, tmp_path):
    """It is infeasible there, and so it will be here; or its search was killed."""
    one, two = two_brokers
    doomed = row(assign={"outcome": "infeasible"})
    records = ray.get([broker.run_trial.remote(0, doomed) for broker in two_brokers], timeout=120)
    assert [(record.outcome, record.cause) for record in records] == [("infeasible", "told so")] * 2
    assert ran(tmp_path)["dense"] == 1
    before = ran(tmp_path)["dense"]
    held = row(dense={"waits_for": "go", "second": 1})
    one.run_trial.remote(1, held)
    until(lambda: ran(tmp_path)["dense"] == before + 1)
    waiting = two.run_trial.remote(1, held)
    until(lambda: elsewhere(two))
    ray.kill(one)
    until(lambda: ran(tmp_path)["dense"] == before + 2)
    (tmp_path / "go").touch()
    assert ray.get(waiting, timeout=120).outcome == "complete"


@cluster
def test_two_searches_that_want_the_same_in_another_order_do_not_wait_for_each_other_for_ever(two_brokers, tmp_path):
    rows = [row(), list(reversed(row()))] * 2
    work = [two_brokers[n % 2].run_trial.remote(n, stages) for n, stages in enumerate(rows)]
    records = ray.get(work, timeout=200)
    assert [record.outcome for record in records] == ["complete"] * 4
    assert ran(tmp_path) == dict.fromkeys(STAGES, 1)


@cluster
def test_who_waits_for_room_claims_nothing(artifacts, tmp_path, running_ray):
    """Another search may have room, and is not to wait for one whose cluster never gets any."""
    need = {stage: StageResources(99.0, 0.0) for stage in STAGES}
    poor = ray.remote(Mortal).options(num_cpus=0).remote(artifacts.store.url, str(tmp_path), need)
    need = {stage: StageResources(1.0, 0.0) for stage in STAGES}
    rich = ray.remote(Mortal).options(num_cpus=0).remote(artifacts.store.url, str(tmp_path), need)
    waiting = poor.run_trial.remote(0, row())
    until(lambda: ray.get(poor.snapshot.remote()))
    assert ray.get(rich.run_trial.remote(0, row()), timeout=120).outcome == "complete"
    ray.get([poor.close.remote(), rich.close.remote()])
    assert ray.get(waiting).outcome == "called off"
