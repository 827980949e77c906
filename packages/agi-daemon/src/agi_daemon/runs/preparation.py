"""What a run needs on its hosts before it can be planned: one shared folder, and the builds."""

from __future__ import annotations

import asyncio

from agi_daemon.install.builds import Built
from agi_daemon.install.outcome import Report
from agi_daemon.install.telling import WORK, telling
from agi_daemon.runs.parts import Parts
from agi_daemon.runs.record import RunRecord
from agi_daemon.runs.shared_path import require_share


async def prepared(record: RunRecord, parts: Parts) -> Built:
    """The builds on all hosts, once those of a cluster were seen to share one folder.

    What has to be installed for that is told by events of the run.

    Raises:
        ShareError: It is missing, read-only, local, stale or another one somewhere.
        AgiError: A build cannot be had.
    """
    async with telling(parts.store, parts.events, record.subject, WORK) as report:
        return await _prepared(record, parts, report)


async def _prepared(record: RunRecord, parts: Parts, report: Report) -> Built:
    resolution, kept = record.resolution, record.release
    building = asyncio.create_task(
        parts.builds.ensure(
            resolution.app_path,
            resolution.hosts,
            modes_enabled=resolution.mode if kept else resolution.modes_enabled,
            may_install=not record.no_install,
            release=kept,
            report=report,
        ),
        name=f"release for {record.run.id}",
    )
    try:
        await require_share(resolution, parts.hosts.transport)
        return await building
    finally:
        building.cancel()
        await asyncio.gather(building, return_exceptions=True)
