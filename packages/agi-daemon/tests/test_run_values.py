"""The run's pure parts: what to do next, and what a record of the journal changes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attrs import evolve

from agi_cluster.model.run import PartitionState, Run, RunProgress, RunSlot, RunState
from agi_cluster.model.selection import Selection
from agi_daemon.apps.resolution import Resolution
from agi_daemon.runs.absorb import Place, absorb
from agi_daemon.runs.next_step import MOST_FRUITLESS_STARTS, Step, next_step
from agi_daemon.runs.record import RunRecord
from agi_daemon.store.codec import dump, load
from agi_env.errors import ExecutorDiedError
from agi_env.mode import Mode
from agi_env.runtime import verdict
from agi_env.runtime.spec import SlotSpec

RESOLUTION = Resolution(
    app="toy_project",
    target="toy",
    app_path="/apps/toy_project",
    mode=Mode.POOL,
    modes_enabled=Mode.POOL,
    selection=Selection(workers={"127.0.0.1": 2}),
    slots=(SlotSpec(0, "127.0.0.1", 1), SlotSpec(1, "127.0.0.1", 1)),
    args={"n": 3, "names": ["a"]},
    data_in="/in",
    data_out="/out",
    verbose=1,
    partition_timeout=None,
    run_timeout=60.0,
    settings_digest="d",
)


def record(state: RunState, target: RunState = RunState.SUCCEEDED) -> RunRecord:
    run = Run(
        id="toy-1",
        app="toy_project",
        mode=Mode.POOL,
        state=state,
        target=target,
        create_time=datetime(2026, 1, 2, tzinfo=UTC),
        progress=RunProgress(total=2, weight_total=5.0),
        slots=(RunSlot(index=0, host="127.0.0.1", cores=1),),
    )
    return RunRecord(number=7, run=run, resolution=RESOLUTION)


def test_a_record_survives_the_store() -> None:
    whole = record(RunState.RUNNING)
    whole = evolve(whole, run=evolve(whole.run, error=ExecutorDiedError("it died", where="x")))
    again = load(dump(whole), RunRecord)
    assert dump(again) == dump(whole)
    assert isinstance(again.run.error, ExecutorDiedError)
    assert again.resolution == RESOLUTION


@pytest.mark.parametrize(
    ("state", "step"),
    [
        (RunState.QUEUED, Step.LEASE),
        (RunState.INSTALLING, Step.INSTALL),
        (RunState.PLANNING, Step.PLAN),
        (RunState.STARTING, Step.START),
        (RunState.RUNNING, Step.FOLLOW),
        (RunState.SUCCEEDED, Step.DONE),
        (RunState.FAILED, Step.DONE),
        (RunState.CANCELLED, Step.DONE),
    ],
)
def test_the_next_step_follows_from_the_state(state: RunState, step: Step) -> None:
    assert next_step(record(state)) is step


@pytest.mark.parametrize("state", [RunState.QUEUED, RunState.INSTALLING, RunState.PLANNING])
def test_a_run_without_a_runner_is_cancelled_by_the_daemon(state: RunState) -> None:
    assert next_step(record(state, RunState.CANCELLED)) is Step.CANCEL


def test_a_run_with_a_runner_is_cancelled_by_its_runner() -> None:
    assert next_step(record(RunState.RUNNING, RunState.CANCELLED)) is Step.FOLLOW


def test_a_runner_that_is_lost_again_and_again_is_given_up() -> None:
    lost = evolve(record(RunState.RUNNING), fruitless_starts=MOST_FRUITLESS_STARTS)
    assert next_step(lost) is Step.GIVE_UP


def entry(seq: int, kind: str, **fields: object) -> dict[str, object]:
    return {"seq": seq, "t": 1000.0 + seq, "epoch": 1, "kind": kind, **fields}


def test_a_partition_is_followed_from_start_to_result() -> None:
    places = {"p": Place("P", 3.0, 0)}
    started = entry(1, "partition_started", id="p", slot=0, executor=0, attempt=1)
    first = absorb(record(RunState.RUNNING), started, places, None)
    assert first.record.run.progress.running == 1
    done = entry(
        2,
        "partition_finished",
        id="p",
        slot=0,
        executor=0,
        attempt=1,
        seconds=2.5,
        cpu_seconds=2.0,
        sha256="x",
        bytes=3,
    )
    second = absorb(first.record, done, places, first.partition)
    assert second.partition is not None
    assert second.partition.state is PartitionState.SUCCEEDED
    progress = second.record.run.progress
    assert (progress.running, progress.succeeded, progress.weight_done) == (0, 1, 3.0)
    assert second.record.run.slots[0].busy_seconds == 2.5
    assert second.record.journal_seq == 2


def test_an_attempt_that_is_repeated_counts_once() -> None:
    places = {"p": Place("P", 3.0, 0)}
    started = entry(1, "partition_started", id="p", slot=0, executor=0, attempt=1)
    step = absorb(record(RunState.RUNNING), started, places, None)
    killed = {"kind": "signal", "message": "killed by signal 9", "traceback": ""}
    failed = entry(
        2, "partition_failed", id="p", slot=0, executor=0, attempt=1, final=False, cause=killed
    )
    step = absorb(step.record, failed, places, step.partition)
    assert step.record.run.progress.running == 0
    assert step.record.run.progress.failed == 0
    again = entry(3, "partition_started", id="p", slot=0, executor=0, attempt=2)
    step = absorb(step.record, again, places, step.partition)
    assert step.record.run.progress.running == 1
    assert step.partition is not None
    assert step.partition.attempts == 2


STOPPED = {"code": "RUN_CANCELLED", "metadata": verdict.cancelled().to_metadata()}


def test_the_settled_record_settles_the_run_with_its_error() -> None:
    error = ExecutorDiedError("it was killed by signal 11", where="partition P")
    told = {"code": error.code, "metadata": error.to_metadata()}
    last = entry(9, "settled", state="FAILED", error=told, kept="/kept", summary={})
    run = absorb(record(RunState.RUNNING), last, {}, None).record.run
    assert run.state is RunState.FAILED
    assert isinstance(run.error, ExecutorDiedError)
    assert run.error.what == error.what
    assert "agi runs logs toy-1" in run.error.remedy
    cancelled = entry(10, "settled", state="CANCELLED", error=STOPPED, kept="/kept", summary={})
    stopped = absorb(record(RunState.RUNNING), cancelled, {}, None).record.run.error
    assert stopped is not None and stopped.remedy == "`agi runs retry toy-1` does what is left"
    assert run.paths.kept == "/kept"
    assert run.end_time is not None
