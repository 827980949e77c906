"""Pruning with hosts that do not answer: each costs its patience once, and keeps its runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from attrs import frozen

from agi_cluster.model.pruning import PrunePolicy
from agi_cluster.model.run import Run, RunState
from agi_cluster.model.selection import THIS_MACHINE, Selection
from agi_daemon.apps.resolution import Resolution
from agi_daemon.pruning.pipeline_pruner import PipelinePruner
from agi_daemon.pruning.pruner import Pruner
from agi_daemon.runs import run_store
from agi_daemon.runs.record import RunRecord
from agi_daemon.store.store import Store
from agi_daemon.transport.host_transport import HostTransport
from agi_daemon.transport.local import LocalTransport
from agi_env.errors import HostUnreachableError
from agi_env.mode import Mode
from agi_env.runtime.spec import SlotSpec

FAR = "node1"


@frozen
class OffTransport:
    """The way to a host that is off."""

    host: str
    asked: Counter[str]
    python: str = "python3"
    uv: str = "uv"
    root: str = "/far"

    async def run(self, *_: Any, **__: Any) -> Any:
        """Find nobody there."""
        self.asked[self.host] += 1
        raise HostUnreachableError("it is off", where=self.host)


def record(run_id: str, host: str = FAR) -> RunRecord:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    resolution = Resolution(
        app="toy_project",
        target="toy",
        app_path="/apps/toy_project",
        mode=Mode.PLAIN,
        modes_enabled=Mode.PLAIN,
        selection=Selection(workers={host: 1}),
        slots=(SlotSpec(0, host, 1),),
        args={},
        data_in="/in",
        data_out="/out",
        verbose=1,
        partition_timeout=None,
        run_timeout=60.0,
        settings_digest="d",
    )
    run = Run(
        id=run_id,
        app="toy_project",
        mode=Mode.PLAIN,
        state=RunState.SUCCEEDED,
        create_time=now,
        end_time=now,
    )
    return RunRecord(number=0, run=run, resolution=resolution, builds={host: "/build"})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "store.sqlite3")
    yield opened
    opened.close()


async def test_a_host_that_is_off_is_asked_once_and_keeps_its_runs(
    store: Store, tmp_path: Path
) -> None:
    asked = Counter[str]()
    far, here = OffTransport(FAR, asked), LocalTransport(tmp_path / "host")

    def way(address: str) -> HostTransport:
        return cast(HostTransport, far) if address == FAR else here

    names = [f"run-{number:03d}" for number in range(205)]
    local = record("local", THIS_MACHINE)
    for each in (*map(record, names), local):
        await store.write(lambda tx, each=each: run_store.insert(tx, each))
    pruner = Pruner(store, way, PipelinePruner(store, tmp_path / "pipelines"))
    done = await pruner.prune(PrunePolicy(older_than=0), dry_run=False)
    assert [run.id for run in done.gone] == ["local"]
    assert {run.problem for run in done.runs} == {
        "",
        str(HostUnreachableError("it is off", where=FAR)),
    }
    assert asked == {FAR: 1}
    assert store.read(lambda db: run_store.known(db, [*names, "local"])) == set(names)
