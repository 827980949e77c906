"""A run that holds all cores of the machine, so that all runs after it are queued."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run, RunState
from agi_cluster.testing import RunningDaemon
from agi_env.mode import Mode

SIXTEEN = Path(__file__).parent / "apps" / "sixteen_project"
AN_HOUR_MS = 3_600_000


@contextmanager
def hold_all_cores(daemon: RunningDaemon) -> Iterator[str]:
    """Execute one partition that sleeps in a pool over all cores; cancel it at the end."""
    args = {"partitions": 1, "sleep_ms": AN_HOUR_MS}
    with daemon.client() as client:
        run_id = client.start_run(StartRun(app=str(SIXTEEN), mode=Mode.POOL, args=args)).id
        for update, _ in client.watch_run(run_id):
            if isinstance(update, Run):
                assert not update.state.settled, update.error
            elif update.kind == "runner_started":
                break
    yield run_id
    with daemon.client() as client:
        client.cancel_run(run_id, grace_seconds=0)
        last = [each for each, _ in client.watch_run(run_id) if isinstance(each, Run)][-1]
    assert last.state is RunState.CANCELLED, last
