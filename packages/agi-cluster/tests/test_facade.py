"""The AGI facade against a small daemon."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

from agi_cluster.agi_distributor import AGI, RunRequest, SnippetOrigin
from agi_cluster.model.installation import InstallationState
from agi_cluster.model.plan import PlanFinding
from agi_cluster.model.requests import StalePlan
from agi_cluster.model.run import PartitionState, RunPaths, RunState
from agi_cluster.wire.requests import start_run_from_wire
from agi_env import AgiEnv
from agi_env.errors import (
    BuildFailedError,
    CancelledRunError,
    InvalidModeError,
    PartitionFailedError,
    RequestInvalidError,
    SlotsInvalidError,
)
from agi_env.mode import Mode

WORKERS = {"127.0.0.1": 2}


@pytest.fixture
def env(daemon, monkeypatch):
    monkeypatch.setenv("AGI_ADDRESS", str(daemon.address))
    return AgiEnv(app="flights_project", verbose=1)


def asked(daemon):
    return start_run_from_wire(daemon.runs.requests[0])


async def test_a_run_returns_its_result(daemon, env):
    result = await AGI.run(env, scheduler="127.0.0.1:8786", workers=WORKERS, mode=1, nfile=3)
    assert (result.state, result.data, result.seconds) == (
        RunState.SUCCEEDED,
        {"flights": 336776},
        1.5,
    )
    assert [partition.id for partition in result.partitions] == ["p0", "p1", "p2"]
    request = asked(daemon)
    assert (request.mode, request.selection.workers) == (Mode(1), WORKERS)
    assert (request.args, request.verbose, request.app) == ({"nfile": 3}, 1, "flights_project")


async def test_verbosity_3_says_what_the_app_prints(daemon, env, caplog):
    caplog.set_level(logging.INFO, "agi")
    await AGI.run(AgiEnv(app="flights_project", verbose=3), mode=1)
    printed = [message for message in caplog.messages if message.startswith("runner.log")]
    assert printed == ["runner.log: one", "runner.log: two"]


async def test_a_result_prints_as_a_table(daemon, env):
    paths = RunPaths(published="/share/flights/results/r1")
    warnings = ("cluster.pool differs from the snippet",)
    daemon.runs.run = attrs.evolve(daemon.runs.run, paths=paths, warnings=warnings)
    assert str(await AGI.run(env)).splitlines() == [
        "flights_project  SUCCEEDED  mode 1 = pool  in 1.50 s",
        "run r1  3 of 3 partitions",
        "slot  host       cores  partitions    busy  cpu",
        "   0  127.0.0.1      1           2  1.00 s  0 s",
        "   1  127.0.0.1      1           1  500 ms  0 s",
        " all                 2           3  1.50 s  0 s",
        'data     {"flights": 336776}',
        "results  /share/flights/results/r1",
        "warning  cluster.pool differs from the snippet",
    ]


async def test_a_failed_run_raises_its_own_error_with_the_result_in_words(daemon, env):
    runs = daemon.runs
    error = PartitionFailedError("it raised ValueError", where="EWR 1")
    runs.run = attrs.evolve(
        runs.run, state=RunState.FAILED, error=error, paths=RunPaths(kept="/share/.agi-r1")
    )
    failed = attrs.evolve(
        runs.partitions[1],
        state=PartitionState.FAILED,
        error=error,
        traceback="Traceback ...\nValueError: no",
    )
    runs.partitions = (runs.partitions[0], failed, runs.partitions[2])
    with pytest.raises(PartitionFailedError, match="it raised ValueError") as caught:
        await AGI.run(env)
    assert (caught.value.metadata["run"], caught.value.metadata["kept"]) == ("r1", "/share/.agi-r1")
    [note] = caught.value.__notes__
    assert "failed   EWR 1: it raised ValueError\n" in note
    assert note.endswith("ValueError: no")


async def test_a_cancelled_run_raises_that(daemon, env):
    daemon.runs.run = attrs.evolve(daemon.runs.run, state=RunState.CANCELLED, error=None)
    with pytest.raises(CancelledRunError, match="runs/r1"):
        await AGI.run(env)


async def test_a_daemon_that_goes_away_is_told_of(daemon, env, caplog):
    caplog.set_level(logging.INFO, "agi")
    daemon.runs.cuts = [2]

    class Restart(logging.Handler):
        """Ends the daemon with the first event, and starts it once it is missed."""

        steps = iter([("done on slot", daemon.stop), ("the daemon is gone", daemon.start)])
        wanted, act = next(steps)

        def emit(self, record):
            if self.wanted in record.getMessage():
                self.act()
                self.wanted, self.act = next(self.steps, ("never", None))

    logging.getLogger("agi").addHandler(handler := Restart())
    try:
        result = await AGI.run(AgiEnv(app="flights_project", verbose=2))
    finally:
        logging.getLogger("agi").removeHandler(handler)
    assert result.state is RunState.SUCCEEDED
    lines = [message.partition(": ")[2] for message in caplog.messages]
    gone = lines.index("the daemon is gone; waiting for it")
    assert "the daemon is back" in lines[gone:]


async def test_leaving_a_run_lets_it_go_on(daemon, env, caplog):
    caplog.set_level(logging.INFO, "agi")
    daemon.runs.settling.clear()
    task = asyncio.create_task(AGI.run(env))
    async with asyncio.timeout(10):
        while "p: done on slot" not in caplog.text:
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "no longer watched; it goes on" in caplog.text
    assert [type(request).__name__ for request in daemon.runs.requests] == [
        "StartRunRequest",
        "WatchRunRequest",
    ]


async def test_arguments_of_the_app_may_have_any_other_name(daemon, env):
    given = {"model": "m", "plane": 1, "x1": 1}
    await AGI.run(env, **given)
    await AGI.run(env, snippet="0" * 64, worker=1)
    assert asked(daemon).args == given


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"mode": 16}, InvalidModeError),
        ({"mode": -1}, InvalidModeError),
        ({"mode": [0, 16]}, InvalidModeError),
        ({"mode": []}, RequestInvalidError),
        ({"mode": [0], "plan": "plans/p1"}, RequestInvalidError),
        ({"workers": {"127.0.0.1": 0}}, SlotsInvalidError),
        ({"workers": {"127.0.0.1": -1}}, SlotsInvalidError),
        ({"workers": {"127.0.0.1": "two"}}, SlotsInvalidError),
        ({"workers": {"127.0.0.1": True}}, SlotsInvalidError),
        ({"workers": {}}, SlotsInvalidError),
        ({"workers": ["127.0.0.1"]}, SlotsInvalidError),
        ({"scheduler": "a b"}, RequestInvalidError),
        ({"scheduler": 8786}, RequestInvalidError),
        ({"request": RunRequest(mode=1), "mode": 1}, RequestInvalidError),
        ({"request": RunRequest(params={"n": 1}), "n": 2}, RequestInvalidError),
        ({"mod": 1}, RequestInvalidError),
        ({"worker": {"127.0.0.1": 2}}, RequestInvalidError),
        ({"scheduller": "127.0.0.1"}, RequestInvalidError),
    ],
)
async def test_wrong_input_is_refused_before_anybody_is_asked(given, error, monkeypatch):
    monkeypatch.setenv("AGI_ADDRESS", "unix:/nowhere/at/all.sock")
    with pytest.raises(error):
        await AGI.run(AgiEnv(app="flights_project"), **given)


async def test_a_request_says_it_all_in_one_value(daemon, env):
    request = RunRequest(
        mode=5,
        scheduler="10.0.0.1",
        workers={"10.0.0.2": 3},
        params={"files": "*.csv"},
        data_in=Path("in"),
        data_out="out",
        reset_target=True,
    )
    await AGI.run(env, request=request, nfile=2)
    got = asked(daemon)
    assert got.args == {
        "files": "*.csv",
        "data_in": "in",
        "data_out": "out",
        "reset_target": True,
        "nfile": 2,
    }
    assert (got.mode, got.selection.scheduler, got.selection.workers) == (
        Mode(5),
        "10.0.0.1",
        {"10.0.0.2": 3},
    )


@pytest.mark.parametrize(
    "snippet", ["d1", SnippetOrigin(api="agi.snippet.v1", settings_digest="d1")]
)
async def test_a_snippet_tells_what_it_was_rendered_from(daemon, env, snippet):
    await AGI.run(env, snippet=snippet)
    assert asked(daemon).snippet == SnippetOrigin(api="agi.snippet.v1", settings_digest="d1")


async def test_an_app_in_a_folder_is_sent_by_its_absolute_path(daemon, env, tmp_path, monkeypatch):
    root = tmp_path / "toy_project"
    for folder in ("toy", "toy_worker"):
        (root / "src" / folder).mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "toy_project"\nversion = "0"\n')
    (root / "src" / "app_settings.toml").write_text("")
    (root / "src" / "toy" / "toy.py").write_text("class Toy: ...\n")
    (root / "src" / "toy_worker" / "toy_worker.py").write_text("class ToyWorker: ...\n")
    monkeypatch.chdir(tmp_path)
    await AGI.run(AgiEnv(app="toy_project"))
    assert asked(daemon).app == str(root)


async def test_a_distribution_prints_as_a_tree_and_can_be_run(daemon, env):
    finding = PlanFinding(code="ODD", message="it is odd", suggestion="Mend it")
    daemon.plans.plan = attrs.evolve(daemon.plans.plan, findings=(finding,))
    distribution = await AGI.get_distrib(env, workers=WORKERS, mode=0)
    lines = str(distribution).splitlines()
    assert lines[:5] == [
        "flights_project  plans/q1@1  mode 0 = plain local Python",
        "40 partitions of weight 40 on 2 slots: predicted finish 20, at best 20",
        "└─ 127.0.0.1 (scheduler)",
        "   ├─ slot 0: 20 partitions, load 20, finish 0, 1 core",
        "   │  ├─ EWR 0  1",
    ]
    assert "   │  └─ ... and 12 more partitions" in lines
    assert lines[-1] == "ODD: it is odd. Mend it"
    assert len(distribution.of_slot(1)) == 20
    await AGI.run(env, plan=distribution, stale_plan="rebase")
    assert asked(daemon).plan == "plans/q1@1"
    assert asked(daemon).stale_plan is StalePlan.REBASE
    with pytest.raises(RequestInvalidError):
        await AGI.run(env, plan=distribution, stale_plan="maybe")


async def test_an_install_that_had_nothing_to_do_says_so(env):
    installed = await AGI.install(env, workers=WORKERS, modes_enabled=13, nfile=3)
    assert installed.unchanged
    assert str(installed).splitlines() == [
        "flights_project  nothing to do  modes 1 = pool  in 1.50 s",
        "host       state      shipped   time",
        "127.0.0.1  unchanged  nothing  10 ms",
    ]


async def test_a_failed_install_raises_the_hosts_error(daemon, env):
    fake = daemon.installations
    host = attrs.evolve(
        fake.installation.hosts[0],
        unchanged=False,
        state=InstallationState.FAILED,
        error=BuildFailedError("it does not import", where="127.0.0.1"),
    )
    fake.installation = attrs.evolve(
        fake.installation, state=InstallationState.FAILED, unchanged=False, hosts=(host,)
    )
    with pytest.raises(BuildFailedError, match="does not import") as caught:
        await AGI.install(env)
    assert caught.value.metadata["installation"] == "i1"


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (1, 5)])
async def test_verbose_says_how_much_is_logged(env, caplog, verbose, lines):
    caplog.set_level(logging.INFO, "agi")
    await AGI.run(AgiEnv(app="flights_project", verbose=verbose))
    assert len(caplog.records) == lines


def test_a_program_that_configures_no_logging_sees_progress_on_stderr_only(daemon):
    program = (
        "import asyncio\n"
        "from agi_cluster.agi_distributor import AGI\n"
        "from agi_env import AgiEnv\n"
        "result = asyncio.run(AGI.run(AgiEnv(app='flights_project', verbose=1)))\n"
        "print(result.run)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "AGI_ADDRESS": str(daemon.address)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "r1\n"
    assert done.stderr == 5 * "runs/r1: p: done on slot ? in 0 s\n"


def test_importing_the_facade_loads_neither_grpc_nor_asyncio():
    program = (
        "import sys\n"
        "from agi_cluster.agi_distributor import AGI\n"
        "from agi_env import AgiEnv\n"
        "print([m for m in ('grpc', 'asyncio', 'google.protobuf') if m in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"
