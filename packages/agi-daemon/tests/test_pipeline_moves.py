"""Executions as values: whatever the dependencies and the ends of steps, the right ones run."""

from __future__ import annotations

from datetime import UTC, datetime

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from agi_cluster.client.step import PID_VARIABLE, TOKEN_VARIABLE, next_request_id, request_id
from agi_cluster.model.pipeline import PipelineStep, StepState
from agi_cluster.model.pipeline_run import PipelineRun, PipelineRunState, StepExecution
from agi_daemon.pipelines import continuation, ordering
from agi_daemon.pipelines.lab_steps import LabModule, LabStep
from agi_daemon.pipelines.next_moves import MOST_AT_ONCE, next_moves
from agi_daemon.pipelines.run_record import PipelineRunRecord, StepOrder

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ENDS = (StepState.SUCCEEDED, StepState.FAILED, StepState.SKIPPED, StepState.INTERRUPTED)


def record(
    deps: dict[str, tuple[str, ...]], alone: frozenset[str] = frozenset()
) -> PipelineRunRecord:
    steps = tuple(
        StepExecution(step=name, engine="runpy", code_digest=name, deps=needed)
        for name, needed in deps.items()
    )
    run = PipelineRun(
        id="x", file="/f", module="m", state=PipelineRunState.RUNNING, create_time=NOW, steps=steps
    )
    orders = tuple(StepOrder(parallel_safe=name not in alone) for name in deps)
    return PipelineRunRecord(run=run, orders=orders)


def put(record: PipelineRunRecord, index: int, state: StepState) -> PipelineRunRecord:
    return record.with_step(index, lambda step: evolve(step, state=state))


graphs = (
    st.integers(1, 7)
    .flatmap(
        lambda count: st.tuples(
            *(st.sets(st.integers(0, max(0, i - 1)), max_size=3) for i in range(count))
        )
    )
    .map(
        lambda rows: {
            f"s{i}": tuple(f"s{dep}" for dep in sorted(deps) if dep < i)
            for i, deps in enumerate(rows)
        }
    )
)


@given(graphs, st.data())
def test_every_execution_ends_and_no_step_runs_too_early(
    deps: dict[str, tuple[str, ...]], data: st.DataObject
) -> None:
    names = list(deps)
    alone = frozenset(data.draw(st.sets(st.sampled_from(names), max_size=2)))
    now = record(deps, alone)
    for _ in range(6 * len(names)):
        moves = next_moves(now)
        states = {step.step: step.state for step in now.run.steps}
        for index in moves.start:
            assert all(states[dep].fulfilled for dep in deps[names[index]])
            now = put(now, index, StepState.RUNNING)
        for index in moves.block:
            assert any(
                states[dep].settled and not states[dep].fulfilled for dep in deps[names[index]]
            )
            now = put(now, index, StepState.BLOCKED)
        running = now.places(StepState.RUNNING)
        if any(names[index] in alone for index in running):
            assert len(running) == 1
        if moves.settle:
            break
        if running:
            now = put(now, data.draw(st.sampled_from(running)), data.draw(st.sampled_from(ENDS)))
    assert moves.settle is not None
    good = all(step.state.fulfilled for step in now.run.steps)
    assert (moves.settle is PipelineRunState.SUCCEEDED) == good


def test_a_stopped_execution_begins_nothing_more() -> None:
    now = put(record({"a": (), "b": (), "c": ("a",)}), 0, StepState.RUNNING)
    now = evolve(now, run=evolve(now.run, target=PipelineRunState.CANCELLED))
    assert next_moves(now).cancel == (1, 2)
    now = put(put(put(now, 1, StepState.CANCELLED), 2, StepState.CANCELLED), 0, StepState.CANCELLED)
    assert next_moves(now).settle is PipelineRunState.CANCELLED


def test_a_step_is_named_by_its_id_or_by_its_number() -> None:
    steps = record({"first": (), "3": (), "last": ()})
    assert [steps.index(name) for name in ("first", "1", "2")] == [0, 0, 1]
    assert steps.index("3") == 1  # an id comes first
    assert [steps.index(name) for name in ("0", "4", "")] == [None] * 3


def test_not_more_than_so_many_run_at_once() -> None:
    assert len(next_moves(record({f"s{i}": () for i in range(40)})).start) == MOST_AT_ONCE


def module(*steps: PipelineStep, serial: bool) -> LabModule:
    numbered = [LabStep(index=i, step=evolve(each, number=i + 1)) for i, each in enumerate(steps)]
    return LabModule(name="m", steps=tuple(numbered), sequence=None, serial=serial)


def step(name: str, *deps: str, enabled: bool = True) -> PipelineStep:
    return PipelineStep(id=name, deps=deps, code=name, engine="runpy", enabled=enabled)


def test_without_dependencies_one_runs_after_another() -> None:
    steps = ordering.executions(
        module(step("a"), step("b", enabled=False), step("c"), serial=True), set()
    )
    assert [(each.step, each.deps, each.state.value) for each in steps] == [
        ("a", (), "WAITING"),
        ("b", (), "LEFT_OUT"),
        ("c", ("a",), "WAITING"),
    ]


def test_what_is_left_out_passes_on_what_it_waited_for() -> None:
    lab = module(step("a"), step("b", "a", enabled=False), step("c", "b"), serial=False)
    assert [each.deps for each in ordering.executions(lab, set())] == [(), (), ("a",)]


def test_what_is_carried_over_depends_on_nothing_that_runs_again() -> None:
    deps = {"a": (), "b": ("a",), "c": ("b",), "d": ()}
    earlier = record(deps)
    for index, state in enumerate((ENDS[0], ENDS[0], ENDS[1], ENDS[0])):
        earlier = put(earlier, index, state)
    same = continuation.resumed(record(deps).run.steps, earlier)
    assert [each.state.value for each in same] == ["SUCCEEDED", "SUCCEEDED", "WAITING", "SUCCEEDED"]
    changed = (evolve(record(deps).run.steps[0], code_digest="other"), *record(deps).run.steps[1:])
    after = continuation.resumed(changed, earlier)
    assert [each.state.value for each in after] == ["WAITING", "WAITING", "WAITING", "SUCCEEDED"]


def test_request_ids_follow_from_the_token_in_the_process_of_the_step_only() -> None:
    import os

    environ = {TOKEN_VARIABLE: "x/1/1/secret", PID_VARIABLE: str(os.getpid())}
    given = [next_request_id(environ) for _ in range(2)]
    assert len(set(given)) == 2
    numbers = {request_id("x/1/1/secret", number) for number in range(1, 50)}
    assert set(given) <= numbers
    assert next_request_id({**environ, PID_VARIABLE: "1"}) == ""
    assert next_request_id({}) == ""
