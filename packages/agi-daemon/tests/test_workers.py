"""The workers of a run: how often one is started again, and when its slot is given up."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agi_cluster.model.run import Run, RunProgress, RunState
from agi_cluster.model.selection import Selection
from agi_daemon.apps.resolution import Resolution
from agi_daemon.runs.attachment import Attachment
from agi_daemon.runs.record import RunRecord, SchedulerPlace
from agi_daemon.runs.workers import MOST_STARTS, Workers
from agi_daemon.transport.local import LocalTransport
from agi_env.errors import OutOfTimeError
from agi_env.mode import Mode
from agi_env.runtime.causes import EndCause
from agi_env.runtime.cluster_keys import ClusterKeys
from agi_env.runtime.spec import SlotSpec

HOST = "127.0.0.1"
ENDS_AT_ONCE = """#!/bin/sh
read keys
echo start >> {starts}
echo '{{"gone": {{"code": {code}, "signal": null}}}}'
"""


class NotedLine(Attachment):
    """A line to a runner that notes which slots it was told to give up."""

    def __init__(self) -> None:
        self.given_up: list[int] = []

    async def give_up_slot(self, slot: int, cause: EndCause) -> None:
        self.given_up.append(slot)

    async def worker_gone(self, slot: int, cause: EndCause) -> None:
        pass


class Site:
    """A run of one slot, whose workers end as soon as they are started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.starts, self.line = folder, folder / "starts", NotedLine()
        self.starts.touch()

    def workers(self, code: int, scheduler: SchedulerPlace | None = None) -> Workers:
        python = self.folder / "host" / "builds" / "build" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(ENDS_AT_ONCE.format(starts=self.starts, code=code))
        python.chmod(0o755)
        record = record_of(str(self.folder / "build"), scheduler)
        transport = LocalTransport(self.folder / "host")
        return Workers(record, ClusterKeys("a", "b", "c"), lambda _: transport, self.line)

    async def until_started(self, times: int) -> None:
        async with asyncio.timeout(30):
            while len(self.starts.read_text().splitlines()) < times:
                await asyncio.sleep(0.01)

    async def until_given_up(self) -> None:
        async with asyncio.timeout(30):
            while not self.line.given_up:
                await asyncio.sleep(0.01)


def record_of(build: str, scheduler: SchedulerPlace | None) -> RunRecord:
    resolution = Resolution(
        app="toy_project",
        target="toy",
        app_path="/apps/toy_project",
        mode=Mode.CLUSTER,
        modes_enabled=Mode.CLUSTER,
        selection=Selection(workers={HOST: 1}),
        slots=(SlotSpec(0, HOST),),
        args={},
        data_in="/share/in",
        data_out="/share/out",
        verbose=1,
        partition_timeout=None,
        run_timeout=60.0,
        settings_digest="d",
    )
    run = Run(
        id="toy-1",
        app="toy_project",
        mode=Mode.CLUSTER,
        state=RunState.RUNNING,
        create_time=datetime(2026, 1, 2, tzinfo=UTC),
        progress=RunProgress(total=1),
    )
    builds = {HOST: build}
    return RunRecord(number=1, run=run, resolution=resolution, builds=builds, scheduler=scheduler)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_workers_that_wait_for_a_runner_in_vain_cost_no_slot(site: Site) -> None:
    async with site.workers(OutOfTimeError.exit_code) as workers:
        await site.until_started(MOST_STARTS + 2)
        assert site.line.given_up == []
        started = {"kind": "scheduler_started", "address": "tls://127.0.0.1:1", "epoch": 1}
        await workers.take([started], record_of("", None).run)
        await site.until_given_up()


async def test_a_slot_whose_workers_break_is_given_up_without_a_runner_too(site: Site) -> None:
    async with site.workers(70):
        await site.until_given_up()
    assert len(site.starts.read_text().splitlines()) == MOST_STARTS


async def test_the_place_of_the_runner_before_is_told_to_nobody(site: Site) -> None:
    place = SchedulerPlace(address="tls://127.0.0.1:1", epoch=1)
    async with site.workers(OutOfTimeError.exit_code, place) as workers:
        await site.until_started(1)
        await workers.take([{"kind": "runner_started", "epoch": 2}], record_of("", None).run)
        await site.until_started(MOST_STARTS + 2)
        assert site.line.given_up == []
