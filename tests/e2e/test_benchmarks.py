"""Benchmarks by a real daemon: what is measured and refused, what a crash or a stop leaves."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from attrs import evolve

from agi_cluster.agi_distributor import AGI, BenchmarkResult
from agi_cluster.client.sync import Client
from agi_cluster.model.benchmark import Benchmark, BenchmarkState
from agi_cluster.model.event import Event
from agi_cluster.model.modes import VerdictState
from agi_cluster.model.requests import CreateBenchmark
from agi_cluster.testing import RunningDaemon
from agi_daemon.benchmarks import benchmark_store
from agi_daemon.store.store import Store
from agi_env import AgiEnv
from agi_env.errors import ModeNotEnabledError, RequestInvalidError
from agi_env.mode import Mode

MOODY_WORKER = """\
class {manager}Worker:
    def __init__(self, env, **args):
        self.env = env

    def work(self, partition, out):
        return partition.payload

    def reduce(self, results):
        return self.env.mode if self.env.mode == 1 else 0
"""


def settled(client: Client, benchmark: Benchmark) -> Benchmark:
    *_, (last, _) = client.watch_benchmark(benchmark.id)
    assert isinstance(last, Benchmark)
    return last


def asked(app: Path, *modes: int, repeats: int = 2, **args: object) -> CreateBenchmark:
    return CreateBenchmark(
        app=str(app), modes=tuple(map(Mode, modes)), args=args, repeats=repeats, warmups=1
    )


def test_each_mode_is_measured_and_one_that_cannot_be_run_says_why(
    client: Client, toy: Path
) -> None:
    begun = client.create_benchmark(asked(toy, 0, 8))
    done = settled(client, begun)
    plain, rapids = done.rows
    assert (done.state, done.recommended) == (BenchmarkState.SUCCEEDED, Mode.PLAIN)
    assert len(plain.seconds) == 2 and len(plain.runs) == 3 and plain.median > 0
    assert isinstance(rapids.error, ModeNotEnabledError) and not rapids.seconds
    assert {run.id for run in client.list_runs(page_size=3).items} == set(plain.runs)
    measured = [
        update.data
        for update, _ in client.watch_benchmark(done.id)
        if isinstance(update, Event) and update.kind == "measured"
    ]
    assert [(each["mode"], each["counts"]) for each in measured if not each["error"]] == [
        (0, False),
        (0, True),
        (0, True),
    ]
    assert client.get_benchmark(done.id).rows[0] == plain
    assert client.list_benchmarks(app="toy").items[0].id == done.id


def test_a_mode_with_another_result_is_marked_and_not_recommended(client: Client, make_app) -> None:
    done = settled(
        client, client.create_benchmark(asked(make_app("moody", worker=MOODY_WORKER), 0, 1))
    )
    assert [row.differs for row in done.rows] == [False, True]
    assert done.recommended is Mode.PLAIN


def test_one_that_is_cancelled_ends_its_run_and_keeps_what_was_measured(
    ask, client: Client, toy: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    begun = client.create_benchmark(asked(toy, 0, gate=str(gate)))
    ask.until(lambda: any(run.progress.running for run in client.list_runs(page_size=1).items))
    client.cancel_benchmark(begun.id)
    done = settled(client, begun)
    assert done.state is BenchmarkState.CANCELLED and done.error
    (run,) = client.list_runs(page_size=1).items
    assert run.state.value == "CANCELLED"
    assert client.cancel_benchmark(begun.id).state is BenchmarkState.CANCELLED


def test_a_daemon_that_is_killed_goes_on_and_runs_nothing_twice(
    ask, daemon: RunningDaemon, client: Client, toy: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    begun = client.create_benchmark(asked(toy, 0, gate=str(gate)))
    ask.until(lambda: any(run.progress.running for run in client.list_runs(page_size=1).items))
    (first,) = client.list_runs(page_size=1).items
    daemon.kill()
    gate.touch()
    daemon.start()
    with daemon.client() as again:
        done = settled(again, begun)
        assert done.state is BenchmarkState.SUCCEEDED
        (row,) = done.rows
        assert row.runs[0] == first.id and len(row.runs) == 3 and len(row.seconds) == 2


async def test_one_whose_cancel_was_cut_in_two_by_a_kill_leaves_no_run(
    ask, daemon: RunningDaemon, client: Client, toy: Path, tmp_path: Path
) -> None:
    """The benchmark is told to stop, and the daemon dies before its run is."""
    begun = client.create_benchmark(asked(toy, 0, gate=str(tmp_path / "gate")))
    ask.until(lambda: any(run.progress.running for run in client.list_runs(page_size=1).items))
    daemon.kill()
    await tell_to_stop(daemon.state / "store.sqlite3", begun.id)
    daemon.start()
    with daemon.client() as again:
        assert settled(again, begun).state is BenchmarkState.CANCELLED
        (run,) = again.list_runs(page_size=1).items
        assert run.state.value == "CANCELLED"


async def tell_to_stop(path: Path, benchmark_id: str) -> None:
    """The first of a cancel's transactions, and nothing more."""

    def work(connection: sqlite3.Connection) -> None:
        record = benchmark_store.find(connection, benchmark_id)
        asked = evolve(record.benchmark, target=BenchmarkState.CANCELLED)
        benchmark_store.update(connection, evolve(record, benchmark=asked))

    store = Store.open(path)
    await store.write(work)
    store.close()


async def test_the_facade_compares_the_modes_of_a_list(
    daemon: RunningDaemon, toy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGI_ADDRESS", f"unix:{daemon.address.socket}")
    app_env = AgiEnv(str(toy), verbose=0)
    result = await AGI.run(app_env, mode=[0])
    assert isinstance(result, BenchmarkResult) and result.recommended is Mode.PLAIN
    assert "recommended: mode 0" in str(result) and len(result.rows[0].seconds) == 5
    with pytest.raises(RequestInvalidError, match="empty"):
        await AGI.run(app_env, mode=[])


def test_the_modes_of_an_app_are_told_for_each_host(client: Client, toy: Path) -> None:
    told = client.get_modes(str(toy))
    assert [int(each.mode) for each in told.modes] == list(range(16))
    assert told.modes[0].hosts[0].state is VerdictState.RUNNABLE
    assert told.modes[8].refused and told.hosts[0].devices == ()
    assert "driver" in told.modes[8].hosts[0].reason
