"""The whole life of the example app on this machine: a real daemon, real data, real kills."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agi_cluster.client.sync import Client
from agi_cluster.model.app import SettingChange
from agi_cluster.model.event import Event
from agi_cluster.model.installation import Installation, InstallationState
from agi_cluster.model.requests import CreateInstallation, CreatePlan, StartRun
from agi_cluster.model.run import PartitionState, Run, RunState
from agi_cluster.model.snippet import SnippetKind
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_env.mode import Mode

REPOSITORY = Path(__file__).parents[2]
FLIGHTS = REPOSITORY / "examples" / "flights_project"
DEADLINE_S = 120.0


@pytest.fixture(scope="module")
def daemon() -> Iterator[RunningDaemon]:
    with running_daemon() as running:
        yield running


@pytest.fixture
def client(daemon: RunningDaemon) -> Iterator[Client]:
    with daemon.client() as opened:
        yield opened


@pytest.fixture(scope="module")
def independent() -> dict[str, Any]:
    """The reduced table, computed by code that shares nothing with the app."""
    program = Path(__file__).with_name("independent_flights.py")
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, check=True, timeout=DEADLINE_S
    )
    return json.loads(done.stdout)


def agi(daemon: RunningDaemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agi_cli", *arguments]
    return subprocess.run(
        command, env=daemon.env, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


def settle(client: Client, run_id: str) -> Run:
    last: Run | None = None
    for update, _ in client.watch_run(run_id):
        if isinstance(update, Run):
            last = update
    assert last is not None and last.state.settled
    return last


def run_to_end(client: Client, request: StartRun) -> Run:
    return settle(client, client.start_run(request).id)


def await_event(client: Client, run_id: str, wanted: Callable[[Event], bool]) -> Event:
    for update, _ in client.watch_run(run_id, verbose=3):
        if isinstance(update, Event) and wanted(update):
            return update
    raise AssertionError("the run settled before the event came")


def install(client: Client, app: str) -> Installation:
    last: Installation | None = None
    for update, _ in client.watch_installation(
        client.create_installation(CreateInstallation(app=app)).id
    ):
        if isinstance(update, Installation):
            last = update
    assert last is not None
    assert last.error is None
    return last


@pytest.fixture(scope="module")
def plain_run(daemon: RunningDaemon) -> Run:
    with daemon.client() as client:
        return run_to_end(client, StartRun(app=str(FLIGHTS), mode=Mode.PLAIN))


def test_the_totals_are_those_of_an_independent_computation(
    plain_run: Run, independent: dict[str, Any]
) -> None:
    assert plain_run.state is RunState.SUCCEEDED
    assert plain_run.result == independent


def test_a_run_that_has_to_install_tells_its_steps(client: Client, plain_run: Run) -> None:
    told = [update for update, _ in client.watch_run(plain_run.id, verbose=3)]
    kinds = [update.kind for update in told if isinstance(update, Event)]
    steps = kinds[kinds.index("cores_leased") : kinds.index("installed")]
    assert {"collecting", "shipping", "realising"} <= set(steps)
    assert not {"checked", "ready", "unchanged"} & set(steps)


def test_the_totals_are_equal_in_the_pool(client: Client, plain_run: Run) -> None:
    pooled = run_to_end(client, StartRun(app=str(FLIGHTS), mode=Mode.POOL))
    assert pooled.state is RunState.SUCCEEDED
    assert pooled.result == plain_run.result
    assert pooled.progress.succeeded == 36
    assert sum(slot.partitions for slot in pooled.slots) == 36


def test_the_published_directory_holds_manifest_result_and_files(plain_run: Run) -> None:
    published = Path(plain_run.paths.published)
    manifest = json.loads((published / "manifest.json").read_text())
    assert manifest["run_id"] == plain_run.id
    assert len(manifest["partitions"]) == 36
    assert json.loads((published / "result.json").read_text()) == plain_run.result
    assert len((published / "results.jsonl").read_text().splitlines()) == 36
    assert len(list((published / "partitions").iterdir())) == 36
    assert not list(published.parent.glob(f".agi-{plain_run.id}*"))


def test_a_plan_that_was_looked_at_is_what_runs(client: Client) -> None:
    plan = client.create_plan(CreatePlan(app=str(FLIGHTS), mode=Mode.POOL))
    assert plan.partition_count == 36
    assert plan.predicted_finish <= plan.lower_bound * 1.1
    run = run_to_end(client, StartRun(app=str(FLIGHTS), mode=Mode.POOL, plan=plan.name))
    assert (run.plan, run.plan_digest) == (plan.name, plan.digest)
    planned = {each.id: each.slot for each in client.list_plan_partitions(plan.name).items}
    actual = {each.id: each.slot for each in client.list_run_partitions(run.id).items}
    assert actual == planned


def test_json_output_is_json_and_nothing_else(daemon: RunningDaemon, plain_run: Run) -> None:
    done = agi(daemon, "run", str(FLIGHTS), "-o", "json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["carriers"] == plain_run.result["carriers"]


def test_a_snippet_gives_equal_bytes_and_equal_totals(
    daemon: RunningDaemon, client: Client, plain_run: Run, tmp_path: Path
) -> None:
    first = agi(daemon, "snippet", "run", str(FLIGHTS))
    second = agi(daemon, "snippet", "run", str(FLIGHTS))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    program = tmp_path / "snippet.py"
    program.write_text(first.stdout)
    done = subprocess.run(
        [sys.executable, str(program)],
        env=daemon.env,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    newest = client.list_runs(page_size=1).items[0]
    assert newest.id in done.stdout
    assert client.get_run(newest.id).result == plain_run.result


def test_a_snippet_older_than_the_settings_says_what_changed(
    daemon: RunningDaemon, client: Client
) -> None:
    app = client.get_app(str(FLIGHTS)).name
    snippet = client.render_snippet(app, SnippetKind.RUN)
    client.update_settings(app, [SettingChange(key="args.reach", value="30")])
    try:
        done = subprocess.run(
            [sys.executable, "-"],
            input=snippet.text,
            env=daemon.env,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "args.reach was 60" in done.stdout
    finally:
        client.reset_settings(app)


def test_an_install_says_what_changed_and_ships_only_that(client: Client, tmp_path: Path) -> None:
    app = shutil.copytree(FLIGHTS, tmp_path / "edited_flights_project")
    # A copy under another name: its modules are renamed with it.
    (app / "src" / "flights").rename(app / "src" / "edited_flights")
    (app / "src" / "flights_worker").rename(app / "src" / "edited_flights_worker")
    manager = app / "src" / "edited_flights" / "flights.py"
    manager = manager.rename(manager.with_name("edited_flights.py"))
    worker = app / "src" / "edited_flights_worker" / "flights_worker.py"
    worker.rename(worker.with_name("edited_flights_worker.py"))
    for source in app.rglob("*.py"):
        text = source.read_text()
        text = text.replace("flights_worker", "edited_flights_worker")
        source.write_text(text.replace("from flights", "from edited_flights"))
    first = install(client, str(app))
    assert first.state is InstallationState.SUCCEEDED
    again = install(client, str(app))
    assert again.unchanged
    assert again.hosts[0].shipped_wheels == ()
    manager.write_text(manager.read_text() + "\n# one more line\n")
    edited = install(client, str(app))
    assert edited.changed_inputs == ("app: src/edited_flights/edited_flights.py (edited)",)
    assert len(edited.hosts[0].shipped_wheels) == 1
    assert "edited_flights_app" in edited.hosts[0].shipped_wheels[0]


def test_a_killed_daemon_loses_nothing_and_counts_nothing_twice(
    daemon: RunningDaemon, plain_run: Run
) -> None:
    with daemon.client() as client:
        run = client.start_run(StartRun(app=str(FLIGHTS), mode=Mode.POOL))
        await_event(client, run.id, lambda event: event.kind == "partition_finished")
    daemon.kill()
    daemon.start()
    with daemon.client() as client:
        settled = settle(client, run.id)
        assert settled.state is RunState.SUCCEEDED
        assert settled.result == plain_run.result
        assert settled.progress.succeeded == 36
        finished = [
            update.data["id"]
            for update, _ in client.watch_run(run.id, verbose=3)
            if isinstance(update, Event) and update.kind == "partition_finished"
        ]
        assert len(finished) == len(set(finished)) == 36


def test_a_killed_runner_leaves_no_executor_and_is_taken_up_again(
    client: Client, plain_run: Run
) -> None:
    run = client.start_run(StartRun(app=str(FLIGHTS), mode=Mode.POOL))
    executors: list[int] = []
    runner = 0
    finished: set[str] = set()
    for update, _ in client.watch_run(run.id, verbose=3):
        if not isinstance(update, Event):
            continue
        if update.kind == "runner_started":
            runner = update.data["pid"]
        if update.kind == "executor_started":
            executors.append(update.data["pid"])
        if update.kind == "partition_finished":
            finished.add(update.data["id"])
            if len(finished) >= 4:
                break
    os.kill(runner, signal.SIGKILL)
    restarted = await_event(
        client, run.id, lambda event: event.kind == "runner_started" and event.data["epoch"] > 1
    )
    assert restarted.data["pid"] != runner
    assert not [pid for pid in executors if Path(f"/proc/{pid}").exists()]
    settled = settle(client, run.id)
    assert settled.state is RunState.SUCCEEDED
    assert settled.result == plain_run.result
    attempts = {each.id: each.attempts for each in client.list_run_partitions(run.id).items}
    assert all(attempts[each] == 1 for each in finished)


def test_a_cancelled_run_ends_and_leaves_nothing_behind(
    daemon: RunningDaemon, client: Client
) -> None:
    run = client.start_run(StartRun(app=str(FLIGHTS), mode=Mode.PLAIN))
    await_event(client, run.id, lambda event: event.kind == "partition_finished")
    client.cancel_run(run.id, grace_seconds=0)
    settled = settle(client, run.id)
    assert settled.state is RunState.CANCELLED
    assert settled.error is not None and settled.error.code == "RUN_CANCELLED"
    states = {each.state for each in client.list_run_partitions(run.id).items}
    assert PartitionState.RUNNING not in states
    deadline = time.monotonic() + 20
    while left := [line for line in daemon.processes().values() if run.id in line]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def test_two_runs_never_hold_the_same_core(client: Client, plain_run: Run) -> None:
    runs = [client.start_run(StartRun(app=str(FLIGHTS), mode=Mode.POOL)) for _ in range(3)]
    waits = client.get_run(runs[2].id).waiting_for
    assert runs[1].id in waits or runs[0].id in waits
    snapshot, _ = next(client.watch_run(runs[2].id))
    assert isinstance(snapshot, Run) and snapshot.waiting_for
    settled = [settle(client, run.id) for run in runs]
    assert [run.state for run in settled] == [RunState.SUCCEEDED] * 3
    assert all(run.result == plain_run.result for run in settled)
    spans = sorted((run.start_time, run.end_time) for run in settled)
    assert all(earlier[1] <= later[0] for earlier, later in pairwise(spans))
