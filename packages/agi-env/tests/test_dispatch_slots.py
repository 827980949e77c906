"""Dispatch with slots that come and go: workers elsewhere instead of children."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agi_env.runtime.causes import EndCause, EndKind
from agi_env.runtime.cluster_spec import ClusterSpec
from agi_env.runtime.dispatch import Dispatch
from agi_env.runtime.dispatch_events import (
    CancelRequested,
    Event,
    ExecutorEnded,
    ExecutorReady,
    ExecutorStopped,
    PartitionBegan,
    PartitionFinished,
    Published,
    ReduceFinished,
    SlotDrained,
    SlotGivenUp,
    SlotJoined,
    SlotLost,
    Tick,
    WorkerGone,
)
from agi_env.runtime.dispatch_instructions import (
    Append,
    FenceSlot,
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

MOVED = "partition_moved"
BROKE = "its connection broke"


def a_spec(*executors: int) -> RunSpec:
    slots = tuple(SlotSpec(index, "host", 1, n) for index, n in enumerate(executors))
    spec = RunSpec("r1", "a_project", "a", 4, "/in", "/out", "/build", "rel", "plan", slots)
    return replace(spec, cluster=ClusterSpec())


def a_plan(assignment: Iterable[int], weights: Iterable[float] = ()) -> RunPlan:
    slots = tuple(assignment)
    weight = tuple(weights) or (1.0,) * len(slots)
    partitions = tuple(Partition(f"p{i}", f"p{i}", weight[i]) for i in range(len(slots)))
    return RunPlan("plan", 1, partitions, slots)


class Bench:
    """A dispatch on a bench, and all that came out of it."""

    def __init__(self, spec: RunSpec, plan: RunPlan, history: History | None = None) -> None:
        self.dispatch = Dispatch(spec, plan, history or History(), 1, at=0.0)
        self.seen: list[Instruction] = list(self.dispatch.start(0.0))

    def send(self, event: Event) -> list[Instruction]:
        out = self.dispatch.handle(event)
        self.seen += out
        return [each for each in out if not isinstance(each, Append)]

    def join(self, slot: int, lease: str = "1.1") -> list[Instruction]:
        return self.send(SlotJoined(slot, lease, "tls://there", 0.0))

    def ready(self, slot: int, executor: int = 0) -> list[Instruction]:
        return self.send(ExecutorReady(slot, executor, False, 0.0))

    def begin(self, name: str, slot: int, attempt: int = 1) -> None:
        self.send(PartitionBegan(slot, 0, name, attempt, 0.0))

    def finish(self, name: str, slot: int, attempt: int = 1) -> list[Instruction]:
        return self.send(PartitionFinished(slot, 0, name, attempt, 0.5, 0.4, 1, "ab", 2, 1.0))

    def lose(self, slot: int, reason: str = BROKE) -> list[Instruction]:
        return self.send(SlotLost(slot, reason, 1.0))

    def facts(self, kind: str) -> list[dict[str, Any]]:
        found = [each for each in self.seen if isinstance(each, Append) and each.kind == kind]
        return [dict(each.fields) for each in found]

    def settled(self) -> Settle:
        (settle,) = [each for each in self.seen if isinstance(each, Settle)]
        return settle


def test_nothing_starts_in_a_slot_before_its_worker_is_there() -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 1]))
    assert bench.seen == []
    assert bench.join(1) == [StartExecutor(1, 0)]
    assert bench.ready(1) == [HandPartition(1, 0, "p1", 1)]
    assert bench.facts("slot_joined") == [{"slot": 1, "lease": "1.1", "worker": "tls://there"}]


def test_what_waits_for_a_slot_that_was_never_there_stays_there() -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 1]))
    bench.join(1)
    bench.ready(1)
    bench.begin("p1", 1)
    assert bench.finish("p1", 1) == []
    assert bench.facts("partition_moved") == []


def test_a_lost_slot_gives_what_ran_and_waited_to_the_others_by_weight() -> None:
    plan = a_plan([0, 0, 0, 1, 2], weights=[1.0, 1.0, 5.0, 4.0, 1.0])
    bench = Bench(a_spec(1, 1, 1), plan)
    for slot in range(3):
        bench.join(slot)
        bench.ready(slot)
    bench.begin("p0", 0)
    assert bench.lose(0) == [
        FenceSlot(0),
        HandPartition(1, 0, "p0", 2),
        HandPartition(2, 0, "p2", 1),
    ]
    moved = [(each["id"], each["to_slot"]) for each in bench.facts("partition_moved")]
    assert moved == [("p2", 2), ("p0", 1), ("p1", 1)]
    assert {each["reason"] for each in bench.facts("partition_moved")} == {BROKE}
    (lost,) = bench.facts("slot_lost")
    assert (lost["slot"], lost["reason"], lost["cause"]["kind"]) == (0, BROKE, "disconnected")
    ended = bench.facts("executor_ended")
    assert ended == [
        {"slot": 0, "executor": 0, "cause": EndCause(EndKind.LOST, detail=BROKE).to_dict()}
    ]


def test_the_loss_of_a_worker_is_no_death_of_a_partition() -> None:
    bench = Bench(a_spec(1), a_plan([0]))
    for attempt in range(1, 8):
        bench.join(0, f"1.{attempt}")
        assert bench.ready(0) == [HandPartition(0, 0, "p0", attempt)]
        bench.begin("p0", 0, attempt)
        assert bench.lose(0) == [FenceSlot(0)]
    assert bench.facts("partition_failed") == []


def test_a_partition_comes_home_when_its_slot_is_there_again() -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 1, 1]))
    for slot in range(2):
        bench.join(slot)
        bench.ready(slot)
    bench.begin("p0", 0)
    bench.lose(1)
    assert bench.join(1, "1.3") == [StartExecutor(1, 0)]
    moves = [
        (each["id"], each["from_slot"], each["to_slot"]) for each in bench.facts("partition_moved")
    ]
    assert moves == [("p1", 1, 0), ("p2", 1, 0), ("p2", 0, 1)]
    assert bench.ready(1) == [HandPartition(1, 0, "p2", 2)]


def test_where_all_slots_are_lost_the_first_that_comes_back_takes_all() -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 1]))
    for slot in range(2):
        bench.join(slot)
        bench.ready(slot)
    bench.lose(0)
    bench.lose(1)
    assert bench.join(1, "1.3") == [StartExecutor(1, 0)]
    assert bench.ready(1) == [HandPartition(1, 0, "p0", 3), HandPartition(1, 0, "p1", 2)]
    moves = [(each["id"], each["from_slot"], each["to_slot"]) for each in bench.facts(MOVED)]
    assert moves == [("p0", 0, 1)]


def test_what_a_lost_executor_says_later_counts_for_nothing() -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 1]))
    for slot in range(2):
        bench.join(slot)
        bench.ready(slot)
    bench.begin("p0", 0)
    bench.lose(0)
    bench.begin("p0", 1, 2)
    assert bench.finish("p0", 0) == []
    assert bench.send(ExecutorEnded(0, 0, EndCause(EndKind.SIGNAL, signal=9), 2.0)) == []
    assert bench.dispatch.ledger.finished == {}


def test_a_reduction_that_is_lost_is_handed_to_another_slot() -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 1]))
    for slot in range(2):
        bench.join(slot)
        bench.send(ExecutorReady(slot, 0, True, 0.0))
    for slot in range(2):
        bench.begin(f"p{slot}", slot)
        out = bench.finish(f"p{slot}", slot)
    assert out == [HandReduce(0, 0, 1)]
    assert bench.lose(0) == [FenceSlot(0), HandReduce(1, 0, 2)]


def test_a_worker_that_is_lost_while_it_stops_fails_nothing() -> None:
    bench = Bench(a_spec(1), a_plan([0]))
    bench.join(0)
    bench.ready(0)
    bench.begin("p0", 0)
    assert bench.finish("p0", 0) == [StopExecutor(0, 0)]
    assert bench.lose(0) == [FenceSlot(0), Publish()]
    bench.send(Published("/out/r1", 2.0))
    assert bench.settled().state is RunState.SUCCEEDED


def test_a_slot_that_is_given_up_is_not_used_again() -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 1]))
    bench.join(0)
    bench.ready(0)
    bench.begin("p0", 0)
    assert bench.send(SlotGivenUp(1, "no way there", 1.0)) == [
        FenceSlot(1),
        HandPartition(0, 0, "p1", 1),
    ]
    assert bench.join(1) == []


def test_without_any_slot_left_the_run_fails() -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 1]))
    bench.join(0)
    bench.ready(0)
    bench.send(SlotGivenUp(1, "no way there", 1.0))
    bench.send(SlotGivenUp(0, "no way there either", 1.0))
    settled = bench.settled()
    assert settled.state is RunState.FAILED
    assert settled.error is not None
    assert settled.error["code"] == "WORKERS_LOST"


def test_a_run_without_workers_can_be_cancelled() -> None:
    bench = Bench(a_spec(1), a_plan([0]))
    bench.send(CancelRequested(5.0, 1.0))
    assert bench.settled().state is RunState.CANCELLED


def test_a_drained_slot_finishes_what_runs_and_gives_away_what_waits() -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 0, 0, 0, 1]))
    bench.join(0)
    bench.join(1)
    bench.ready(0)
    bench.ready(1)
    bench.send(PartitionBegan(0, 0, "p0", 1, 1.0))
    orders = bench.send(SlotDrained(0, "its host is drained", 2.0))
    assert StopExecutor(0, 0) in orders
    assert [each["id"] for each in bench.facts(MOVED)] == ["p2", "p3"]
    bench.send(PartitionFinished(0, 0, "p0", 1, 0.5, 0.4, 1, "ab", 2, 3.0))
    bench.send(ExecutorStopped(0, 0, None, 3.0))
    last = bench.send(ExecutorEnded(0, 0, EndCause(EndKind.STOPPED, exit_code=0), 3.0))
    assert FenceSlot(0) in last
    assert [each["id"] for each in bench.facts(MOVED)] == ["p2", "p3", "p1"]
    (given_up,) = bench.facts("slot_given_up")
    assert given_up["cause"]["kind"] == "drained"
    assert bench.dispatch.phase is Phase.RUNNING


def test_where_all_slots_are_drained_the_run_goes_on_where_it_is() -> None:
    bench = Bench(a_spec(1), a_plan([0, 0]))
    bench.join(0)
    bench.ready(0)
    assert bench.send(SlotDrained(0, "its host is drained", 1.0)) == []
    for name in ("p0", "p1"):
        bench.begin(name, 0)
        bench.finish(name, 0)
    assert bench.dispatch.phase is Phase.STOPPING


def test_a_drained_slot_takes_over_when_the_last_other_one_is_given_up() -> None:
    bench = Bench(a_spec(1, 1), a_plan([0, 1]))
    bench.join(0)
    bench.ready(0)
    bench.begin("p0", 0)
    assert bench.send(SlotDrained(0, "its host is drained", 1.0)) == []
    assert StopExecutor(0, 0) in bench.join(1)
    bench.send(SlotGivenUp(1, "gone", 2.0))
    bench.finish("p0", 0)
    bench.send(ExecutorStopped(0, 0, None, 3.0))
    again = bench.send(ExecutorEnded(0, 0, EndCause(EndKind.STOPPED, exit_code=0), 3.0))
    assert again == [StartExecutor(0, 0)]


def test_a_loss_says_of_what_kind_it_is() -> None:
    bench = Bench(a_spec(1), a_plan([0]))
    bench.join(0)
    bench.send(SlotLost(0, "its lease expired", 1.0, EndKind.LEASE_EXPIRED))
    bench.send(WorkerGone(0, EndCause(EndKind.SIGNAL, signal=9, log_tail="bye"), 2.0))
    (lost,) = bench.facts("slot_lost")
    (gone,) = bench.facts("worker_gone")
    assert lost["cause"]["kind"] == "lease_expired"
    assert (gone["cause"]["signal"], gone["cause"]["log_tail"]) == (9, "bye")


class World:
    """Workers and executors that do as they are told, with mishaps that somebody picks.

    What a lost worker had in hand is remembered: it may be writing there still.
    """

    def __init__(self, bench: Bench, slots: int, pick: Callable[[Sequence[Any]], Any]) -> None:
        self.bench = bench
        self.pick = pick
        self.slots = slots
        self.joined: set[int] = set()
        self.given_up: set[int] = set()
        self.hands: dict[tuple[int, int], list[HandPartition | HandReduce]] = {}
        self.states: dict[tuple[int, int], str] = {}
        self.haunted: set[tuple[str, int]] = set()
        self.publishing = False
        self.accepted: list[str] = []

    def take(self, instructions: list[Instruction]) -> None:
        for each in instructions:
            match each:
                case StartExecutor(slot, executor):
                    assert slot in self.joined
                    assert (slot, executor) not in self.hands
                    self.hands[slot, executor] = []
                    self.states[slot, executor] = "starting"
                case HandPartition():
                    assert (each.id, each.attempt) not in self.haunted
                    self._hand(each)
                case HandReduce():
                    self._hand(each)
                case StopExecutor(slot, executor):
                    self.states[slot, executor] = "stopping"
                case KillExecutor(slot, executor):
                    self.states[slot, executor] = "doomed"
                case FenceSlot(slot):
                    assert slot not in self.joined
                    assert not any(seat[0] == slot for seat in self.hands)
                case Append("slot_given_up", fields):
                    self.joined.discard(fields["slot"])
                    self.given_up.add(fields["slot"])
                case Publish():
                    self.publishing = True
                case _:
                    pass

    def _hand(self, task: HandPartition | HandReduce) -> None:
        seat = (task.slot, task.executor)
        assert self.states[seat] in ("ready", "began")
        self.hands[seat].append(task)
        assert len(self.hands[seat]) <= 2

    def step(self, at: float, *, calm: bool) -> None:
        before = len(self.bench.seen)
        self.bench.send(self.draw(at, calm=calm))
        self.take(self.bench.seen[before:])

    def draw(self, at: float, *, calm: bool) -> Event:
        if self.publishing:
            return Published("/out/r1", at)
        absent = sorted(set(range(self.slots)) - self.joined - self.given_up)
        fate = self.pick(range(12))
        if absent and (fate < 3 or not self.hands):
            slot = self.pick(absent)
            self.joined.add(slot)
            return SlotJoined(slot, f"1.{at:g}", "tls://there", at)
        if not calm and fate == 3 and self.joined:
            return self.lose(self.pick(sorted(self.joined)), at)
        if not calm and fate == 4 and len(self.given_up) + 1 < self.slots:
            return self.give_up(self.pick(range(self.slots)), at)
        if not calm and fate == 5 and self.pick(range(4)) == 0:
            return SlotDrained(self.pick(range(self.slots)), "its host is drained", at)
        return self.work(self.pick(sorted(self.hands)), at) if self.hands else Tick(at)

    def lose(self, slot: int, at: float) -> Event:
        self.joined.discard(slot)
        self._haunt(slot)
        return SlotLost(slot, BROKE, at)

    def give_up(self, slot: int, at: float) -> Event:
        self.joined.discard(slot)
        self.given_up.add(slot)
        self._haunt(slot)
        return SlotGivenUp(slot, BROKE, at)

    def _haunt(self, slot: int) -> None:
        for seat in [seat for seat in self.hands if seat[0] == slot]:
            tasks = self.hands.pop(seat)
            del self.states[seat]
            self.haunted |= {(t.id, t.attempt) for t in tasks if isinstance(t, HandPartition)}

    def work(self, seat: tuple[int, int], at: float) -> Event:
        state = self.states[seat]
        if state == "doomed":
            del self.hands[seat], self.states[seat]
            return ExecutorEnded(*seat, EndCause(EndKind.KILLED), at)
        if state == "starting":
            self.states[seat] = "ready"
            return ExecutorReady(*seat, True, at)
        if self.hands[seat] and state in ("ready", "began"):
            return self.answer(seat, at)
        if state == "stopping":
            self.states[seat] = "doomed"
            return ExecutorStopped(*seat, None, at)
        return Tick(at)

    def answer(self, seat: tuple[int, int], at: float) -> Event:
        task = self.hands[seat][0]
        if isinstance(task, HandReduce):
            self.hands[seat].pop(0)
            return ReduceFinished(*seat, task.attempt, 0.1, "cd", 2, at)
        if self.states[seat] == "ready":
            self.states[seat] = "began"
            return PartitionBegan(*seat, task.id, task.attempt, at)
        self.states[seat] = "ready"
        self.hands[seat].pop(0)
        self.accepted.append(task.id)
        return PartitionFinished(*seat, task.id, task.attempt, 0.5, 0.4, 1, "ab", 2, at)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_run_survives_all_losses_and_counts_every_partition_once(data: st.DataObject) -> None:
    slots = data.draw(st.lists(st.integers(1, 2), min_size=1, max_size=3), label="executors")
    places = st.lists(st.integers(0, len(slots) - 1), max_size=10)
    plan = a_plan(data.draw(places, label="plan"))
    bench = Bench(a_spec(*slots), plan)
    world = World(bench, len(slots), lambda choices: data.draw(st.sampled_from(choices)))
    stormy = data.draw(st.integers(0, 60), label="stormy until")
    for at in range(3000):
        if bench.dispatch.phase is Phase.SETTLED:
            break
        world.step(float(at), calm=at >= stormy)
    assert bench.settled().state is RunState.SUCCEEDED
    assert world.hands == {}
    assert sorted(world.accepted) == sorted(each.id for each in plan.partitions)
    finished = [each["id"] for each in bench.facts("partition_finished")]
    assert sorted(finished) == sorted(world.accepted)
