"""What a run needs on its hosts before its runner is started."""

from __future__ import annotations

import asyncio

from agi_daemon.planning.plan_store import PlanContent
from agi_daemon.runs import run_directory
from agi_daemon.runs.journal_restored import restored
from agi_daemon.runs.parts import Parts
from agi_daemon.runs.record import RunRecord
from agi_daemon.runs.retry import inheritance_of


async def write_all(record: RunRecord, parts: Parts, content: PlanContent) -> None:
    """Write the run's directories; after a move, only the new runner's, with the journal.

    Raises:
        AgiError: One cannot be written.
    """
    home = parts.hosts.transport(record.runner_host)
    hosts = record.resolution.hosts
    if record.run.retry_of:
        legacy = inheritance_of(record, parts.events.every, content)
        await run_directory.write_inheritance(home, record, legacy.to_json().encode())
    if record.moved_to:
        hosts = (record.moved_to,)
        journal = restored(parts.events.every(record.subject))
        await run_directory.write_journal(home, record, journal)
    writing = [
        run_directory.write(parts.hosts.transport(host), record, content, parts.cluster)
        for host in hosts
    ]
    for outcome in await asyncio.gather(*writing, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
