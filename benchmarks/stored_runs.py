"""A store with many settled runs: one real run, under as many names as are wanted.

    uv run python benchmarks/stored_runs.py STATE_DIR [COUNT]      default 10000

The run is executed by a daemon (``sixteen_project``: sixteen partitions, two slots). What that
daemon stored of it (its record, partitions, events, request id and plan) is then written again for
each name, by the functions with which the daemon writes it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve, frozen

from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunPartition, RunState
from agi_cluster.testing import RunningDaemon, running_daemon
from agi_daemon.events import Events, Fact
from agi_daemon.planning import plan_store, restored_plan
from agi_daemon.planning.plan_store import PlanContent
from agi_daemon.planning.plans import plan_reference
from agi_daemon.runs import run_store
from agi_daemon.runs.record import RunRecord
from agi_daemon.store.requests import Claim
from agi_daemon.store.store import Store
from agi_env.mode import Mode
from agi_env.paths import store_path

SIXTEEN = Path(__file__).parent / "apps" / "sixteen_project"

_BATCH = 200


@frozen
class StoredRun:
    """All that the store holds of one run."""

    record: RunRecord
    partitions: tuple[RunPartition, ...]
    facts: tuple[Fact, ...]
    plan: PlanContent

    @classmethod
    def read(cls, store: Store, run_id: str) -> StoredRun:
        """The run as a daemon has stored it."""
        record = store.read(lambda db: run_store.find(db, run_id))
        plan_id, revision = plan_reference(record.run.plan)
        told = Events(store).after(record.subject, 0)
        return cls(
            record=record,
            partitions=tuple(store.read(lambda db: run_store.partitions(db, run_id)).values()),
            facts=tuple(
                Fact(kind=e.kind, data=e.data, verbosity=e.verbosity, at=e.time.timestamp())
                for e in told
            ),
            plan=store.read(lambda db: plan_store.load_content(db, plan_id, revision)),
        )

    def named(self, name: str) -> StoredRun:
        """The same under another name, with a plan of its own."""
        plan = evolve(self.plan, plan=evolve(self.plan.plan, id=f"plan-{name}"))
        run = evolve(self.record.run, id=name, plan=plan.plan.name)
        return evolve(self, record=evolve(self.record, run=run), plan=plan)

    def write(self, connection: sqlite3.Connection, events: Events) -> None:
        """Store it, settled as it is."""
        restored_plan.put(connection, self.plan, self.record.resolution)
        stored = run_store.insert(connection, self.record)
        run_store.update(connection, stored)
        Claim(str(uuid.uuid4()), "StartRun", "", "").remember(connection, stored.run.id)
        run_store.put_partitions(connection, stored.run.id, self.partitions)
        events.append(connection, stored.subject, self.facts)


def run_once(daemon: RunningDaemon) -> str:
    """Execute the run that is copied; return its id."""
    with daemon.client() as client:
        run_id = client.start_run(StartRun(app=str(SIXTEEN), mode=Mode.POOL)).id
        last = [each for each, _ in client.watch_run(run_id) if isinstance(each, Run)][-1]
    assert last.state is RunState.SUCCEEDED, last.error
    return run_id


def fill(state: Path, run_id: str, count: int) -> None:
    """Store a run ``count`` more times; no daemon may serve this state directory meanwhile."""
    store = Store.open(store_path(state))
    try:
        asyncio.run(_write_all(store, StoredRun.read(store, run_id), count))
    finally:
        store.close()


@contextmanager
def daemon_with_runs(count: int) -> Iterator[RunningDaemon]:
    """A daemon of its own state directory in which this many settled runs are stored."""
    with running_daemon() as daemon:
        run_id = run_once(daemon)
        daemon.stop()
        fill(daemon.state, run_id, count)
        daemon.start()
        yield daemon


async def _write_all(store: Store, pattern: StoredRun, count: int) -> None:
    events = Events(store)
    for start in range(0, count, _BATCH):
        names = [f"stored-{each:06d}" for each in range(start, min(start + _BATCH, count))]
        await store.write(_writing([pattern.named(name) for name in names], events))


def _writing(runs: list[StoredRun], events: Events) -> Callable[[sqlite3.Connection], None]:
    def work(connection: sqlite3.Connection) -> None:
        for run in runs:
            run.write(connection, events)

    return work


def main() -> None:
    state = Path(sys.argv[1]).resolve()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    daemon = RunningDaemon(state.parent, state)
    daemon.start()
    try:
        run_id = run_once(daemon)
    finally:
        daemon.stop()
    begun = time.perf_counter()
    fill(state, run_id, count)
    size = store_path(state).stat().st_size / count
    print(f"{count} runs of {size:.0f} bytes stored in {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main()
