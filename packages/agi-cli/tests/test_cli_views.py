"""What people see, as plain text."""

from __future__ import annotations

import io

import attrs
import pytest

from agi_cli.session import Session
from agi_cli.views.data import data_view
from agi_cli.views.plan import plan_view
from agi_cli.views.plan_and_run import plan_and_run
from agi_cli.views.pruning import pruning_report
from agi_cli.views.run import run_report
from agi_cluster.model.plan import PlanFinding, PlannedPartition, PlanSlot
from agi_cluster.model.pruning import PrunedPipelineRun, PrunedRun, Pruning
from agi_cluster.model.run import Cause, PartitionState, RunState
from agi_env.errors import AppImportError


def drawn(content) -> str:
    out = io.StringIO()
    Session(out=out, err=io.StringIO()).print(content)
    return out.getvalue()


def test_a_plan_is_a_tree(terminal):
    plan = terminal.client.get_plan("plans/weather-1")
    partitions = tuple(
        PlannedPartition(index=i, id=str(i), label=label, weight=w, payload=None, slot=s, host="")
        for i, (label, w, s) in enumerate([("a", 10, 0), ("b [bold]", 20, 0), ("c", 20, 1)])
    )
    finding = PlanFinding(code="ONE_HOST", message="all on one host", suggestion="Add a host")
    assert (
        drawn(plan_view(attrs.evolve(plan, findings=(finding,)), partitions))
        == """\
weather_project  plans/weather-1@1  mode 1 = pool
3 partitions of weight 50 on 2 slots: predicted finish 30, 20 % over the best possible
127.0.0.1 (scheduler)
├── slot 0: 2 partitions, load 30 (60 %), finish 30, 1 core  ████████████████████
│   ├── a  10
│   └── b [bold]  20
└── slot 1: 1 partition, load 20 (40 %), finish 20, 1 core  █████████████▍
    └── c  20
ONE_HOST: all on one host. Add a host
"""
    )


def test_long_branches_are_cut_unless_all_is_asked_for(terminal):
    plan = terminal.client.get_plan("plans/weather-1")
    partitions = tuple(
        PlannedPartition(index=i, id=str(i), label=f"x{i}", weight=1, payload=None, slot=0, host="")
        for i in range(2000)
    )
    assert "... and 1,992 more partitions" in drawn(plan_view(plan, partitions))
    assert "x1999" in drawn(plan_view(plan, partitions, whole=True))


def test_a_plan_of_very_many_slots_stays_readable(terminal):
    plan = terminal.client.get_plan("plans/weather-1")
    slots = tuple(
        PlanSlot(
            index=i, host=f"h{i // 8}", cores=1, load=i, partition_count=100, predicted_finish=i
        )
        for i in range(1000)
    )
    large = attrs.evolve(plan, slots=slots, partition_count=100_000, predicted_finish=999)
    lines = drawn(plan_view(large, ())).splitlines()
    assert len(lines) < 60
    assert "... and 101 more hosts that are done earlier; --all shows them" in lines
    assert any(line.startswith("h124 ") for line in lines[:4])
    assert "the first and the last of 1,000 slots:" in lines
    assert lines[-1].startswith("h124/7 ")
    assert "h0/0" in "\n".join(lines[-8:])


def test_known_speeds_are_shown(terminal):
    plan = terminal.client.get_plan("plans/weather-1")
    slots = tuple(attrs.evolve(slot, speed=0.5, timings=12) for slot in plan.slots)
    known = attrs.evolve(plan, slots=slots, weight_per_second=10)
    shown = drawn(plan_view(known, ()))
    assert "speed 0.5 of 12 timings" in shown
    assert "predicted finish 30, about 3.00 s by earlier runs" in shown


def test_a_run_is_shown_beside_its_plan(terminal):
    plan = attrs.evolve(terminal.client.get_plan("p"), weight_per_second=25)
    run = attrs.evolve(terminal.client.get_run("r"), plan_digest=plan.digest)
    begun = run.create_time
    partitions = [attrs.evolve(p, start_time=begun) for p in terminal.client.run_partitions]
    shown = drawn(plan_and_run(run, plan, partitions))
    assert "the run executed exactly this plan" in shown
    assert "predicted finish 1.20 s by earlier runs, actual 500 ms (-58%)" in shown
    assert "every partition ran where the plan has it" in shown
    moved = attrs.evolve(partitions[0], slot=1, moved_because="slot 0 was lost")
    assert "slot 0 was lost" in drawn(plan_and_run(run, plan, [moved, *partitions[1:]]))
    other = attrs.evolve(run, plan_digest="0123456789abcdef")
    assert "another plan: its digest is 0123456789ab" in drawn(plan_and_run(other, plan, []))


def test_a_run_that_did_less_than_its_plan_is_not_measured_by_it(terminal):
    plan = attrs.evolve(terminal.client.get_plan("p"), weight_per_second=25)
    run = attrs.evolve(terminal.client.get_run("r"), plan_digest=plan.digest)
    first, second, third = (
        attrs.evolve(p, start_time=run.create_time) for p in terminal.client.run_partitions
    )
    waiting = attrs.evolve(second, state=PartitionState.WAITING, start_time=None)
    slots = (attrs.evolve(run.slots[0], partitions=1), run.slots[1])
    cancelled = attrs.evolve(run, state=RunState.CANCELLED, slots=slots)
    shown = drawn(plan_and_run(cancelled, plan, [first, waiting, third]))
    assert "the run executed 2 of the 3 partitions\n" in shown
    assert "predicted finish of the whole plan 1.20 s by earlier runs\n" in shown
    assert shown.splitlines()[-2:] == [
        "127.0.0.1/0        2    1     1.20 s  500 ms",
        "127.0.0.1/1        1    1     800 ms  500 ms  -38%",
    ]
    running = attrs.evolve(cancelled, state=RunState.RUNNING)
    shown = drawn(plan_and_run(running, plan, [first, waiting, third]))
    assert "the run has executed 2 of the 3 partitions so far\n" in shown
    taken = attrs.evolve(second, inherited_from="weather-r0")
    shown = drawn(plan_and_run(run, plan, [first, taken, third]))
    assert "the run executed 2 of the 3 partitions, and took 1 over from an earlier run\n" in shown


def test_a_report_of_a_run(terminal):
    run = terminal.client.get_run("weather-r1")
    partitions = terminal.client.run_partitions
    assert (
        drawn(run_report(run, partitions))
        == """\
weather_project  SUCCEEDED  mode 1 = pool  in 1.50 s
run         weather-r1
partitions  3 of 3 succeeded
plan        plans/weather-1@1
results     /share/weather/results/weather-r1

slot  host       cores  partitions    busy     cpu
   0  127.0.0.1      1           2  1.00 s  500 ms  ████████████████████
   1  127.0.0.1      1           1  500 ms  500 ms  ██████████

rows
city   rain
Oslo  1.500
Rome  0.250
days  3
"""
    )


def test_a_report_of_a_failure_has_the_traceback_of_the_app(terminal, failed_run):
    failed = attrs.evolve(
        terminal.client.run_partitions[1],
        state=PartitionState.FAILED,
        error=failed_run.error,
        cause=Cause(kind="exception"),
        traceback="Traceback (most recent call last):\nKeyError: 'rain'\n",
    )
    report = drawn(run_report(failed_run, (failed,)))
    assert "part 1                0         1  exception  work() raised KeyError: 'rain'" in report
    assert "part 1:\n  Traceback (most recent call last):\n  KeyError: 'rain'\n" in report
    assert "kept        /share/weather/results/.agi-weather-r1" in report


def test_an_error_that_follows_below_is_not_in_the_report(failed_run):
    assert "error  " in drawn(run_report(failed_run, ()))
    assert "error  " not in drawn(run_report(failed_run, (), error_follows=True))


def test_an_app_that_cannot_be_started_shows_its_traceback_too(failed_run):
    error = AppImportError("no module rain", metadata={"traceback": "Traceback:\nImportError"})
    report = drawn(run_report(attrs.evolve(failed_run, error=error), ()))
    assert "  Traceback:\n  ImportError\n" in report


def test_long_tracebacks_and_many_failures_are_cut(terminal, failed_run):
    failed = attrs.evolve(
        terminal.client.run_partitions[1],
        state=PartitionState.FAILED,
        error=failed_run.error,
        traceback="\n".join(f"line {i}" for i in range(500)),
    )
    report = drawn(run_report(failed_run, (failed,) * 50))
    assert "... and 40 more failed partitions" in report
    assert "line 479" not in report
    assert "line 499" in report


def test_a_waiting_run_says_what_for(terminal):
    run = terminal.client.get_run("weather-r1")
    waiting = attrs.evolve(
        run, state=RunState.QUEUED, waiting_for="1 core on 127.0.0.1", result=None
    )
    assert "waits for   1 core on 127.0.0.1" in drawn(run_report(waiting, ()))


def test_a_flat_dictionary_beside_a_table_is_its_last_row():
    data = {
        "cities": [{"city": "Oslo", "days": 3, "wet": True}, {"city": "Rome", "days": 1000}],
        "total": {"days": 1003},
    }
    assert (
        drawn(data_view(data))
        == """\
cities
city   wet   days
Oslo   yes      3
Rome        1,000
total       1,003
"""
    )


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (3, "3\n"),
        ("text", '"text"\n'),
        ({"a": 1}, '{"a": 1}\n'),
        ([1, 2], "[1, 2]\n"),
        ([], "[]\n"),
        ([{"a": {"b": 1}}], '[{"a": {"b": 1}}]\n'),
        ([{"a": 1.0}, {"a": 2.5e7}], "         a\n         1\n25,000,000\n"),
    ],
)
def test_other_data_is_shown_as_json(data, text):
    assert drawn(data_view(data)) == text


def test_long_tables_are_cut():
    assert "... and 970 more rows" in drawn(data_view([{"n": n} for n in range(1000)]))


def test_what_an_app_names_cannot_steer_the_terminal():
    text = drawn(data_view([{"na\x1b[31mme": "x\x07\ny"}]))
    assert "\x1b" not in text
    assert "\x07" not in text


def test_what_is_pruned_is_told_item_by_item():
    executions = tuple(
        PrunedPipelineRun(id=name, file=file, module="lab", bytes=2048, problem=problem)
        for name, file, problem in [
            ("x1", "/a/lab_steps.toml", ""),
            ("y1", "/b/lab_steps.toml", ""),
            ("x2", "/a/lab_steps.toml", "a process of it still runs"),
        ]
    )
    runs = (PrunedRun(id="toy-1", app="toy_project", bytes=1024),)
    pruning = Pruning(runs=runs, pipeline_runs=executions, events=3)
    shown = drawn(pruning_report(pruning, dry_run=False))
    assert [line.rstrip() for line in shown.splitlines()] == [
        "run    app          settled     size  note",
        "toy-1  toy_project           1.0 KiB",
        "/a/lab_steps.toml",
        "├── x1  lab  2.0 KiB",
        "└── x2  lab  2.0 KiB  a process of it still runs",
        "/b/lab_steps.toml",
        "└── y1  lab  2.0 KiB",
        "runs         1 gone",
        "executions   2 gone, 1 stay",
        "disk         5.0 KiB",
        "events       3",
        "request ids  0",
    ]
