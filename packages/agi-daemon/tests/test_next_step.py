"""The reconciler's decision: whatever happens, and whenever it crashes, a run comes to its end."""

from __future__ import annotations

from datetime import UTC, datetime

from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import Selection
from agi_daemon.apps.resolution import Resolution
from agi_daemon.runs.next_step import MOST_FRUITLESS_STARTS, Step, next_step
from agi_daemon.runs.record import RunRecord
from agi_env.mode import Mode
from agi_env.runtime.spec import SlotSpec

AHEAD = [
    RunState.QUEUED,
    RunState.INSTALLING,
    RunState.PLANNING,
    RunState.STARTING,
    RunState.RUNNING,
]
NEXT = {
    Step.LEASE: RunState.INSTALLING,
    Step.INSTALL: RunState.PLANNING,
    Step.PLAN: RunState.STARTING,
    Step.START: RunState.RUNNING,
    Step.GIVE_UP: RunState.FAILED,
    Step.CANCEL: RunState.CANCELLED,
}


def a_record() -> RunRecord:
    resolution = Resolution(
        app="toy_project",
        target="toy",
        app_path="/apps/toy_project",
        mode=Mode.PLAIN,
        modes_enabled=Mode.PLAIN,
        selection=Selection(workers={"127.0.0.1": 1}),
        slots=(SlotSpec(0, "127.0.0.1", 1),),
        args={},
        data_in="/in",
        data_out="/out",
        verbose=1,
        partition_timeout=None,
        run_timeout=60.0,
        settings_digest="d",
    )
    run = Run(
        id="toy-1",
        app="toy_project",
        mode=Mode.PLAIN,
        state=RunState.QUEUED,
        create_time=datetime(2026, 1, 2, tzinfo=UTC),
    )
    return RunRecord(number=1, run=run, resolution=resolution)


class RunMachine(RuleBasedStateMachine):
    """A driver over a stored record: each step is decided anew from what is stored."""

    @initialize()
    def accept(self) -> None:
        self.stored = a_record()
        self.lost = 0
        self.had_a_runner = False

    def _store(self, **changes: object) -> None:
        self.stored = evolve(self.stored, run=evolve(self.stored.run, **changes))

    @rule(crashes=st.booleans())
    def step(self, crashes: bool) -> None:
        decided = next_step(self.stored)
        if crashes or decided in (Step.FOLLOW, Step.DONE):
            return  # nothing was stored, so the same step is taken again
        assert next_step(self.stored) is decided
        self._store(state=NEXT[decided])

    @rule(end=st.sampled_from([RunState.SUCCEEDED, RunState.FAILED]))
    def runner_settles(self, end: RunState) -> None:
        if next_step(self.stored) is Step.FOLLOW:
            self.had_a_runner = True
            cancelled = self.stored.run.target is RunState.CANCELLED
            self._store(state=RunState.CANCELLED if cancelled else end)

    @rule(fruitful=st.booleans())
    def runner_is_lost(self, fruitful: bool) -> None:
        if next_step(self.stored) is Step.FOLLOW:
            self.had_a_runner = True
            starts = 0 if fruitful else self.stored.fruitless_starts + 1
            self.stored = evolve(self.stored, fruitless_starts=starts)

    @rule()
    def runner_moves(self) -> None:
        if next_step(self.stored) is Step.FOLLOW:
            self._store(state=RunState.STARTING)

    @rule()
    def cancel(self) -> None:
        if not self.stored.run.state.settled:
            self._store(target=RunState.CANCELLED)

    @invariant()
    def a_settled_run_is_left_alone_and_another_is_not(self) -> None:
        settled = self.stored.run.state.settled
        assert (next_step(self.stored) is Step.DONE) == settled

    @invariant()
    def a_run_without_a_runner_is_cancelled_without_one(self) -> None:
        run = self.stored.run
        before = run.state in AHEAD[:3]
        if run.target is RunState.CANCELLED and before:
            assert next_step(self.stored) is Step.CANCEL

    @invariant()
    def nothing_is_tried_for_ever(self) -> None:
        if self.stored.fruitless_starts >= MOST_FRUITLESS_STARTS:
            assert next_step(self.stored) in (Step.GIVE_UP, Step.DONE)

    @invariant()
    def from_anywhere_the_end_is_near(self) -> None:
        record = self.stored
        for _ in range(len(AHEAD) + 1):
            decided = next_step(record)
            if decided in (Step.FOLLOW, Step.DONE):
                return
            record = evolve(record, run=evolve(record.run, state=NEXT[decided]))
        raise AssertionError(record.run.state)


TestRunMachine = RunMachine.TestCase
TestRunMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
