from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agi_env.runtime.causes import EndCause, EndKind, FailureCause, FailureKind
from agi_env.runtime.dispatch import Dispatch
from agi_env.runtime.dispatch_events import (
    CancelRequested,
    Event,
    ExecutorEnded,
    ExecutorReady,
    ExecutorStarted,
    ExecutorStopped,
    ExecutorUnfit,
    PartitionBegan,
    PartitionFailed,
    PartitionFinished,
    Published,
    PublishFailed,
    ReduceFailed,
    ReduceFinished,
    Tick,
)
from agi_env.runtime.dispatch_instructions import (
    Append,
    HandPartition,
    HandReduce,
    Instruction,
    KillExecutor,
    Publish,
    RunState,
    Settle,
    StartExecutor,
    StopExecutor,
)
from agi_env.runtime.dispatch_phase import Phase
from agi_env.runtime.history import History
from agi_env.runtime.partitions import Partition
from agi_env.runtime.spec import RunPlan, RunSpec, SlotSpec

SEGFAULT = EndCause(EndKind.SIGNAL, signal=11)
GONE = EndCause(EndKind.STOPPED, exit_code=0)
RAISED = FailureCause(FailureKind.EXCEPTION, "ValueError: no", "Traceback")


def a_spec(*executors: int, **changes: object) -> RunSpec:
    slots = tuple(SlotSpec(index, "127.0.0.1", 1, n) for index, n in enumerate(executors or (1,)))
    spec = RunSpec("r1", "a_project", "a", 0, "/in", "/out", "/build", "rel", "plan", slots)
    return replace(spec, **changes)  # type: ignore[arg-type]


def a_plan(assignment: Iterable[int], weights: Iterable[float] = ()) -> RunPlan:
    slots = tuple(assignment)
    weight = tuple(weights) or (1.0,) * len(slots)
    partitions = tuple(Partition(f"p{i}", f"p{i}", weight[i]) for i in range(len(slots)))
    return RunPlan("plan", 1, partitions, slots)


class Bench:
    """A dispatch on a bench: events by name, and what came out of the last."""

    def __init__(
        self, spec: RunSpec, plan: RunPlan, history: History | None = None, epoch: int = 1
    ) -> None:
        self.dispatch = Dispatch(spec, plan, history or History(), epoch, at=0.0)
        self.seen: list[Instruction] = []
        self.last = self._keep(self.dispatch.start(0.0))

    def send(self, event: Event) -> list[Instruction]:
        self.last = self._keep(self.dispatch.handle(event))
        return self.last

    def ready(self, slot: int = 0, executor: int = 0, reduces: bool = False) -> list[Instruction]:
        self.send(ExecutorStarted(slot, executor, 100, 0.0))
        return self.send(ExecutorReady(slot, executor, reduces, 0.0))

    def begin(self, name: str, attempt: int = 1, at: float = 0.0, slot: int = 0) -> None:
        self.send(PartitionBegan(slot, 0, name, attempt, at))

    def finish(self, name: str, attempt: int = 1, slot: int = 0) -> list[Instruction]:
        self.begin(name, attempt, slot=slot)
        return self.send(PartitionFinished(slot, 0, name, attempt, 0.5, 0.4, 1, "ab", 2, 1.0))

    def end(
        self, cause: EndCause = SEGFAULT, executor: int = 0, slot: int = 0
    ) -> list[Instruction]:
        return self.send(ExecutorEnded(slot, executor, cause, 2.0))

    def kinds(self) -> list[str]:
        return [each.kind for each in self.seen if isinstance(each, Append)]

    def settled(self) -> Settle:
        settles = [each for each in self.seen if isinstance(each, Settle)]
        assert len(settles) == 1
        return settles[0]

    def _keep(self, instructions: list[Instruction]) -> list[Instruction]:
        self.seen += instructions
        return instructions


def acts(instructions: list[Instruction]) -> list[Instruction]:
    return [each for each in instructions if not isinstance(each, Append)]


def handed(instructions: list[Instruction]) -> list[tuple[int, int, str]]:
    return [
        (each.slot, each.executor, each.id)
        for each in instructions
        if isinstance(each, HandPartition)
    ]


def test_a_run_of_one_partition_from_start_to_settled() -> None:
    bench = Bench(a_spec(), a_plan([0]))
    assert bench.last == [StartExecutor(0, 0)]
    assert bench.ready() == [HandPartition(0, 0, "p0", 1)]
    assert acts(bench.finish("p0")) == [StopExecutor(0, 0)]
    bench.send(ExecutorStopped(0, 0, None, 2.0))
    assert acts(bench.end(GONE)) == [Publish()]
    bench.send(Published("/out/r1", 3.0))
    assert bench.settled() == Settle(
        RunState.SUCCEEDED, None, {"total": 1, "succeeded": 1, "failed": 0, "seconds": 3.0}
    )
    assert bench.kinds() == [
        "executor_started",
        "partition_started",
        "partition_finished",
        "executor_ended",
        "published",
    ]


def test_a_fact_is_recorded_before_what_follows_from_it() -> None:
    bench = Bench(a_spec(), a_plan([0, 0, 0]))
    bench.ready()
    record, hand = bench.finish("p0")
    assert record == Append(
        "partition_finished",
        {
            "slot": 0,
            "executor": 0,
            "id": "p0",
            "attempt": 1,
            "seconds": 0.5,
            "cpu_seconds": 0.4,
            "max_rss_bytes": 1,
            "sha256": "ab",
            "bytes": 2,
        },
    )
    assert hand == HandPartition(0, 0, "p2", 1)


def test_an_executor_holds_one_running_and_one_ready_partition() -> None:
    bench = Bench(a_spec(), a_plan([0] * 5))
    assert handed(bench.ready()) == [(0, 0, "p0"), (0, 0, "p1")]
    assert handed(bench.finish("p0")) == [(0, 0, "p2")]


def test_no_partition_waits_behind_another_while_a_sibling_could_take_it() -> None:
    bench = Bench(a_spec(2), a_plan([0] * 4, [9.0, 1.0, 1.0, 1.0]))
    assert bench.last == [StartExecutor(0, 0), StartExecutor(0, 1)]
    assert handed(bench.ready(0, 0)) == [(0, 0, "p0")]
    # Behind p1 there may be one: p3 is left for whoever is first.
    assert handed(bench.ready(0, 1)) == [(0, 1, "p1"), (0, 1, "p2")]


def test_an_idle_executor_takes_nothing_from_another_slot() -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 1, 1, 1]))
    assert handed(bench.ready(0)) == [(0, 0, "p0")]
    assert acts(bench.finish("p0")) == []
    assert handed(bench.ready(1)) == [(1, 0, "p1"), (1, 0, "p2")]


def test_only_as_many_executors_start_as_there_is_work() -> None:
    bench = Bench(a_spec(4, 4), a_plan([0, 0]))
    assert bench.last == [StartExecutor(0, 0), StartExecutor(0, 1)]


def test_a_partition_whose_executor_dies_is_attempted_again_and_the_ready_one_is_not_blamed() -> (
    None
):
    bench = Bench(a_spec(), a_plan([0, 0]))
    bench.ready()
    bench.begin("p0")
    ended, failed, start = bench.end()
    assert isinstance(ended, Append)
    assert ended.kind == "executor_ended"
    assert isinstance(failed, Append)
    assert failed.kind == "partition_failed"
    assert failed.fields["final"] is False
    assert failed.fields["cause"]["kind"] == "signal"
    assert start == StartExecutor(0, 0)
    again = [each for each in bench.ready() if isinstance(each, HandPartition)]
    assert again == [HandPartition(0, 0, "p0", 2), HandPartition(0, 0, "p1", 1)]


def test_a_partition_that_kills_its_executor_three_times_fails_and_the_others_go_on() -> None:
    bench = Bench(a_spec(), a_plan([0, 0]))
    for attempt in (1, 2, 3):
        bench.ready()
        bench.begin("p0", attempt)
        bench.end()
    bench.ready()
    bench.finish("p1")
    bench.send(ExecutorStopped(0, 0, None, 2.0))
    bench.end(GONE)
    settle = bench.settled()
    assert settle.state is RunState.FAILED
    assert settle.error is not None
    assert settle.error["code"] == "EXECUTOR_DIED"
    assert settle.summary["succeeded"] == 1
    assert not any(isinstance(each, Publish) for each in bench.seen)


def test_a_partition_that_raises_fails_at_once_and_the_others_go_on() -> None:
    bench = Bench(a_spec(), a_plan([0, 0]))
    bench.ready()
    bench.begin("p0")
    bench.send(PartitionFailed(0, 0, "p0", 1, RAISED, 1.0))
    bench.finish("p1")
    assert acts(bench.last) == [StopExecutor(0, 0)]
    bench.send(ExecutorStopped(0, 0, None, 2.0))
    bench.end(GONE)
    error = bench.settled().error
    assert error is not None
    assert error["code"] == "PARTITION_FAILED"
    assert error["metadata"]["partition"] == "p0"
    assert error["metadata"]["traceback"] == "Traceback"
    assert error["metadata"]["remedy"].endswith("; the other partitions' results are kept")


def test_where_every_partition_failed_no_results_are_said_to_be_kept() -> None:
    bench = Bench(a_spec(), a_plan([0]))
    bench.ready()
    bench.begin("p0")
    bench.send(PartitionFailed(0, 0, "p0", 1, RAISED, 1.0))
    bench.send(ExecutorStopped(0, 0, None, 2.0))
    bench.end(GONE)
    error = bench.settled().error
    assert error is not None
    assert error["metadata"]["remedy"] == "`agi runs logs RUN` shows its output"


def test_a_partition_that_takes_too_long_is_killed_and_fails_for_good() -> None:
    bench = Bench(a_spec(partition_timeout_s=5.0), a_plan([0, 0]))
    bench.ready()
    bench.begin("p0", at=10.0)
    assert bench.dispatch.deadline() == 15.0
    assert bench.send(Tick(14.9)) == []
    assert bench.send(Tick(15.0)) == [KillExecutor(0, 0)]
    assert bench.send(Tick(16.0)) == []
    bench.end(EndCause(EndKind.SIGNAL, signal=9))
    assert bench.dispatch.ledger.failed["p0"].kind is FailureKind.TIMEOUT
    bench.ready()
    bench.finish("p1")
    assert bench.dispatch.ledger.complete


def test_a_result_that_comes_while_its_executor_is_killed_for_being_late_counts() -> None:
    bench = Bench(a_spec(partition_timeout_s=5.0), a_plan([0, 0]))
    bench.ready()
    bench.begin("p0", at=10.0)
    bench.send(Tick(15.0))
    bench.send(PartitionFinished(0, 0, "p0", 1, 5.0, 0.4, 1, "ab", 2, 15.0))
    bench.begin("p1", at=15.0)
    bench.end(EndCause(EndKind.SIGNAL, signal=9))
    assert set(bench.dispatch.ledger.finished) == {"p0"}
    assert handed(bench.ready()) == [(0, 0, "p1")]
    assert "partition_failed" not in bench.kinds()


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FailureKind.IMPORT, "APP_IMPORT_FAILED"),
        (FailureKind.WORK_MISSING, "APP_WORK_MISSING"),
        (FailureKind.CLASS_MISSING, "APP_INVALID"),
        (FailureKind.EXCEPTION, "APP_FAILED"),
    ],
)
def test_an_app_that_cannot_start_ends_the_run_at_once(kind: FailureKind, code: str) -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 1]))
    bench.ready(0)
    bench.begin("p0")
    cause = FailureCause(kind, "No module named 'polars'")
    assert acts(bench.send(ExecutorUnfit(1, 0, cause, 1.0))) == [
        KillExecutor(0, 0),
        KillExecutor(1, 0),
    ]
    bench.end(slot=0)
    bench.end(slot=1)
    error = bench.settled().error
    assert error is not None
    assert error["code"] == code


def test_a_start_that_takes_too_long_ends_the_run() -> None:
    bench = Bench(a_spec(start_timeout_s=60.0), a_plan([0]))
    assert bench.dispatch.deadline() == 60.0
    assert bench.send(Tick(60.0)) == [KillExecutor(0, 0)]
    bench.end()
    error = bench.settled().error
    assert error is not None
    assert error["code"] == "APP_FAILED"


def test_a_slot_without_executors_gives_its_partitions_to_another_and_says_so() -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 0, 1]))
    for _ in range(3):
        bench.end(slot=0)
    moves = [dict(each.fields) for each in bench.seen if isinstance(each, Append)][-2:]
    words = "was ended by SIGSEGV"
    assert moves == [
        {"id": "p0", "from_slot": 0, "to_slot": 1, "reason": words},
        {"id": "p1", "from_slot": 0, "to_slot": 1, "reason": words},
    ]
    assert handed(bench.ready(1)) == [(1, 0, "p0"), (1, 0, "p1")]


def test_when_no_executor_stays_alive_the_run_fails() -> None:
    bench = Bench(a_spec(), a_plan([0]))
    for _ in range(3):
        bench.end()
    error = bench.settled().error
    assert error is not None
    assert error["code"] == "EXECUTOR_DIED"


def test_results_are_reduced_once_and_then_published() -> None:
    bench = Bench(a_spec(), a_plan([0]))
    bench.ready(reduces=True)
    assert acts(bench.finish("p0")) == [HandReduce(0, 0, 1)]
    stop = bench.send(ReduceFinished(0, 0, 1, 0.1, "cd", 2, 2.0))
    assert acts(stop) == [StopExecutor(0, 0)]
    bench.send(ExecutorStopped(0, 0, None, 2.0))
    bench.end(GONE)
    assert bench.dispatch.reduction.accepted is not None
    assert bench.dispatch.phase is Phase.PUBLISHING


def test_a_reduction_whose_executor_dies_is_tried_again_then_fails() -> None:
    bench = Bench(a_spec(), a_plan([0]))
    bench.ready(reduces=True)
    bench.finish("p0")
    for _ in range(2):
        bench.end()
        assert acts(bench.last) == [StartExecutor(0, 0)]
        assert isinstance(acts(bench.ready(reduces=True))[0], HandReduce)
    bench.end()
    error = bench.settled().error
    assert error is not None
    assert error["code"] == "REDUCE_FAILED"


def test_a_reduction_that_raises_fails_the_run() -> None:
    bench = Bench(a_spec(), a_plan([0]))
    bench.ready(reduces=True)
    bench.finish("p0")
    assert acts(bench.send(ReduceFailed(0, 0, RAISED, 2.0))) == [StopExecutor(0, 0)]
    bench.send(ExecutorStopped(0, 0, None, 2.0))
    bench.end(GONE)
    error = bench.settled().error
    assert error is not None
    assert error["code"] == "REDUCE_FAILED"


def test_a_run_without_partitions_asks_an_executor_to_reduce_nothing() -> None:
    bench = Bench(a_spec(2, 2), a_plan([]))
    assert bench.last == [StartExecutor(0, 0)]
    assert acts(bench.ready(reduces=True)) == [HandReduce(0, 0, 1)]


def test_cancel_lets_the_running_one_finish_and_begins_nothing_new() -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 0, 0, 1]))
    bench.ready(0)
    bench.begin("p0")
    assert bench.send(CancelRequested(10.0, 1.0)) == [
        Append("cancel_requested", {"grace_s": 10.0}),
        StopExecutor(0, 0),
        KillExecutor(1, 0),
    ]
    assert bench.dispatch.deadline() == 11.0
    assert acts(bench.finish("p0")) == []
    bench.send(ExecutorStopped(0, 0, None, 2.0))
    bench.end(GONE)
    bench.end(slot=1)
    assert bench.settled().state is RunState.CANCELLED
    assert bench.settled().summary["succeeded"] == 1


def test_cancel_kills_what_outstays_its_grace() -> None:
    bench = Bench(a_spec(), a_plan([0]))
    bench.ready()
    bench.begin("p0")
    bench.send(CancelRequested(10.0, 1.0))
    assert bench.send(Tick(10.9)) == []
    assert bench.send(Tick(11.0)) == [KillExecutor(0, 0)]
    bench.end()
    assert bench.settled().state is RunState.CANCELLED


def test_a_second_cancel_may_only_hasten() -> None:
    bench = Bench(a_spec(), a_plan([0]))
    bench.ready()
    bench.begin("p0")
    bench.send(CancelRequested(10.0, 1.0))
    bench.send(CancelRequested(100.0, 2.0))
    assert bench.dispatch.deadline() == 11.0
    assert acts(bench.send(CancelRequested(0.0, 3.0))) == [KillExecutor(0, 0)]


def test_a_run_that_is_being_published_cannot_be_cancelled() -> None:
    bench = Bench(a_spec(), a_plan([0]))
    bench.ready()
    bench.finish("p0")
    bench.send(ExecutorStopped(0, 0, None, 2.0))
    bench.end(GONE)
    assert bench.send(CancelRequested(0.0, 3.0)) == []


def test_a_run_past_its_deadline_fails() -> None:
    bench = Bench(a_spec(run_timeout_s=100.0), a_plan([0]))
    bench.ready()
    bench.begin("p0")
    assert bench.dispatch.deadline() == 100.0
    assert bench.send(Tick(100.0)) == [KillExecutor(0, 0)]
    bench.end()
    error = bench.settled().error
    assert error is not None
    assert error["code"] == "RUN_TIMEOUT"


@pytest.mark.parametrize("leaves", [True, False])
def test_a_stop_that_fails_fails_the_run(leaves: bool) -> None:
    bench = Bench(a_spec(), a_plan([0]))
    bench.ready()
    bench.finish("p0")
    if not leaves:
        bench.send(ExecutorStopped(0, 0, RAISED, 2.0))
    bench.end(EndCause(EndKind.EXIT, exit_code=3))
    error = bench.settled().error
    assert error is not None
    assert error["code"] == "APP_FAILED"


@pytest.mark.parametrize("kind", [EndKind.SIGNAL, EndKind.OOM])
def test_an_executor_that_is_killed_while_it_stops_fails_nothing(kind: EndKind) -> None:
    bench = Bench(a_spec(), a_plan([0]))
    bench.ready()
    bench.finish("p0")
    assert Publish() in bench.end(EndCause(kind, signal=9))
    assert "stop_cut_short" in bench.kinds()
    bench.send(Published("/out/r1", 3.0))
    assert bench.settled().state is RunState.SUCCEEDED


def test_what_killed_its_executor_rests_longer_each_time_while_others_go_on() -> None:
    bench = Bench(a_spec(retry_pause_s=1.0), a_plan([0, 0]))
    bench.ready()
    bench.begin("p0")
    assert acts(bench.end()) == [StartExecutor(0, 0)]  # at 2.0
    assert handed(bench.ready()) == [(0, 0, "p1")]
    assert bench.dispatch.deadline() == 3.0
    assert handed(bench.send(Tick(3.0))) == [(0, 0, "p0")]
    bench.finish("p1")
    bench.begin("p0", attempt=2)
    assert acts(bench.end()) == []
    assert bench.dispatch.deadline() == 4.0
    assert acts(bench.send(Tick(4.0))) == [StartExecutor(0, 0)]


def test_an_executor_that_dies_before_it_is_ready_is_not_started_at_once() -> None:
    bench = Bench(a_spec(retry_pause_s=1.0), a_plan([0]))
    assert acts(bench.end()) == []
    assert bench.dispatch.deadline() == 3.0
    assert acts(bench.send(Tick(3.0))) == [StartExecutor(0, 0)]


def test_a_quarantined_partition_names_how_often_and_how_its_executor_ended() -> None:
    bench = Bench(a_spec(), a_plan([0]))
    for attempt in (1, 2, 3):
        bench.ready()
        bench.begin("p0", attempt)
        bench.end(EndCause(EndKind.SIGNAL, signal=11, log_tail="the last words"))
    cause = bench.dispatch.ledger.failed["p0"]
    assert (cause.deaths, cause.signal, cause.log_tail) == (3, 11, "the last words")
    assert cause.quarantined
    error = bench.settled().error
    assert error is not None
    assert "quarantined" in error["metadata"]["what"]


def test_a_stop_that_takes_too_long_is_ended_and_fails_the_run() -> None:
    bench = Bench(a_spec(start_timeout_s=60.0), a_plan([0]))
    bench.ready()
    bench.finish("p0")
    assert bench.dispatch.deadline() == 61.0
    assert bench.send(Tick(61.0)) == [KillExecutor(0, 0)]
    bench.end(EndCause(EndKind.SIGNAL, signal=9))
    error = bench.settled().error
    assert error is not None
    assert error["metadata"]["what"] == (
        "the executor was killed because it took too long during stop()"
    )


def test_a_publication_that_fails_fails_the_run() -> None:
    bench = Bench(a_spec(), a_plan([0]))
    bench.ready()
    bench.finish("p0")
    bench.send(ExecutorStopped(0, 0, None, 2.0))
    bench.end(GONE)
    bench.send(PublishFailed("DISK_FULL", {"what": "no space"}, 3.0))
    error = bench.settled().error
    assert error is not None
    assert error["code"] == "DISK_FULL"


def test_a_later_runner_takes_up_what_is_left() -> None:
    first = Bench(a_spec(max_attempts=2), a_plan([0, 0, 0]))
    first.ready()
    first.finish("p0")
    first.begin("p1")
    first.end()
    first.ready()
    first.begin("p1", 2)
    second = Bench(
        a_spec(max_attempts=2), a_plan([0, 0, 0]), History.of(journal_of(first, 1)), epoch=2
    )
    assert second.last == [StartExecutor(0, 0)]
    # The second attempt ended with the runner, which is no fault of the partition.
    assert [each for each in second.ready() if isinstance(each, HandPartition)] == [
        HandPartition(0, 0, "p1", 3),
        HandPartition(0, 0, "p2", 1),
    ]
    second.begin("p1", 3)
    second.end()
    assert "p1" in second.dispatch.ledger.failed


def test_a_later_runner_only_settles_what_was_cancelled_or_published() -> None:
    cancelled = Bench(a_spec(), a_plan([0]), History(started_at=-5.0, cancel_requested=True))
    assert cancelled.settled().state is RunState.CANCELLED
    published = Bench(a_spec(), a_plan([0]), History(started_at=-5.0, published="/out/r1"))
    assert published.last == [Publish()]
    published.send(Published("/out/r1", 1.0))
    assert published.settled().state is RunState.SUCCEEDED
    assert "published" not in published.kinds()


def journal_of(bench: Bench, epoch: int) -> list[dict[str, object]]:
    return [
        {"kind": each.kind, "epoch": epoch, "t": 0.0, **each.fields}
        for each in bench.seen
        if isinstance(each, Append)
    ]


class World:
    """Executors that do as they are told, in an order and with mishaps that somebody picks."""

    def __init__(self, bench: Bench, pick: Callable[[Sequence[Any]], Any]) -> None:
        self.bench = bench
        self.pick = pick
        self.hands: dict[tuple[int, int], list[HandPartition | HandReduce]] = {}
        self.began: set[tuple[int, int]] = set()
        self.doomed: set[tuple[int, int]] = set()
        self.starting: set[tuple[int, int]] = set()
        self.stopping: set[tuple[int, int]] = set()
        self.publishing = False
        self.accepted: list[str] = []
        self.take(bench.last)

    def take(self, instructions: list[Instruction]) -> None:
        for each in instructions:
            match each:
                case StartExecutor(slot, executor):
                    assert (slot, executor) not in self.hands
                    self.hands[slot, executor] = []
                    self.starting.add((slot, executor))
                case HandPartition() | HandReduce():
                    seat = (each.slot, each.executor)
                    assert seat not in self.starting | self.stopping | self.doomed
                    self.hands[seat].append(each)
                    assert len(self.hands[seat]) <= 2
                case StopExecutor(slot, executor):
                    self.stopping.add((slot, executor))
                case KillExecutor(slot, executor):
                    self.doomed.add((slot, executor))
                case Publish():
                    self.publishing = True
                case Append("partition_finished", fields):
                    self.accepted.append(fields["id"])
                case _:
                    pass

    def step(self, at: float) -> None:
        self.take(self.bench.send(self.draw(at)))

    def draw(self, at: float) -> Event:
        if self.publishing:
            return Published("/out/r1", at)
        seat = self.pick(sorted(self.hands))
        fate = self.pick(range(10))
        if seat in self.doomed or fate == 0:
            return self.die(seat, at)
        if fate == 1:
            return Tick(at)
        if seat in self.starting:
            self.starting.discard(seat)
            return ExecutorReady(*seat, True, at)
        if self.hands[seat] and (seat in self.began or seat not in self.stopping):
            return self.work(seat, fate, at)
        if seat in self.stopping:
            self.stopping.discard(seat)
            self.doomed.add(seat)
            return ExecutorStopped(*seat, None, at)
        return Tick(at)

    def work(self, seat: tuple[int, int], fate: int, at: float) -> Event:
        task = self.hands[seat][0]
        if isinstance(task, HandReduce):
            self.hands[seat].pop(0)
            return ReduceFinished(*seat, task.attempt, 0.1, "cd", 2, at)
        if seat not in self.began:
            self.began.add(seat)
            return PartitionBegan(*seat, task.id, task.attempt, at)
        self.began.discard(seat)
        self.hands[seat].pop(0)
        if fate == 2:
            return PartitionFailed(*seat, task.id, task.attempt, RAISED, at)
        return PartitionFinished(*seat, task.id, task.attempt, 0.5, 0.4, 1, "ab", 2, at)

    def die(self, seat: tuple[int, int], at: float) -> Event:
        del self.hands[seat]
        for group in (self.began, self.doomed, self.starting, self.stopping):
            group.discard(seat)
        return ExecutorEnded(*seat, SEGFAULT, at)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_every_run_settles_and_counts_every_partition_once(data: st.DataObject) -> None:
    slots = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3), label="executors")
    places = st.lists(st.integers(0, len(slots) - 1), max_size=12)
    plan = a_plan(data.draw(places, label="plan"))
    spec = a_spec(*slots, partition_timeout_s=30.0)
    bench = Bench(spec, plan)
    world = World(bench, lambda choices: data.draw(st.sampled_from(choices)))
    cancel_at = data.draw(st.none() | st.integers(0, 40), label="cancel at")
    for at in range(3000):
        if bench.dispatch.phase is Phase.SETTLED:
            break
        if at == cancel_at:
            world.take(bench.send(CancelRequested(5.0, float(at))))
        else:
            world.step(float(at))
    settle = bench.settled()
    assert world.hands == {}
    assert len(world.accepted) == len(set(world.accepted))
    assert set(world.accepted).isdisjoint(bench.dispatch.ledger.failed)
    if settle.state is RunState.SUCCEEDED:
        assert set(world.accepted) == {each.id for each in plan.partitions}
    elif settle.state is RunState.CANCELLED:
        assert cancel_at is not None


@settings(max_examples=100, deadline=None)
@given(
    places=st.lists(st.integers(0, 1), max_size=8),
    lives=st.lists(st.integers(0, 60), max_size=4),
    seed=st.integers(0, 2**32),
)
def test_runners_that_die_lose_and_repeat_no_finished_partition(
    places: list[int], lives: list[int], seed: int
) -> None:
    plan = a_plan(places)
    luck = Random(seed)
    records: list[dict[str, object]] = []
    accepted: list[str] = []
    for epoch, life in enumerate([*lives, 5000], start=1):
        bench = Bench(a_spec(2, 1), plan, History.of(records), epoch)
        world = World(bench, luck.choice)
        for at in range(life):
            if bench.dispatch.phase is Phase.SETTLED:
                break
            world.step(float(at) / 100)
        records += journal_of(bench, epoch)
        accepted += world.accepted
        if bench.dispatch.phase is Phase.SETTLED:
            break
    assert len(accepted) == len(set(accepted))
    if bench.settled().state is RunState.SUCCEEDED:
        assert sorted(accepted) == sorted(each.id for each in plan.partitions)
