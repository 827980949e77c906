"""One look at a host, whatever comes of it: what is then known of it."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from datetime import UTC, datetime

from agi_cluster.model.host import Host
from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.hosts import host_life
from agi_daemon.hosts.admission import barrier
from agi_daemon.hosts.host_book import Change
from agi_daemon.hosts.host_record import HostRecord
from agi_daemon.hosts.reach import Reach
from agi_daemon.hosts.survey import survey
from agi_daemon.hosts.ways import Ways
from agi_env.errors import AgiError, HostCommandTimeoutError, HostKeyChangedError

LIMIT_S = 25.0
"""Seconds that one look may take."""


def own_shape() -> HostRecord:
    """What can be said of this machine without asking it."""
    return HostRecord(
        host=Host(
            address=THIS_MACHINE,
            cores=len(os.sched_getaffinity(0)),
            memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            python_version=platform.python_version(),
            platform=f"{sys.platform}-{platform.machine()}",
            check_time=datetime.now(UTC),
        )
    )


async def look(record: HostRecord, ways: Ways, reach: Reach) -> Change:
    """Look at a host and say what that changes; a host that may not be used only shows its key."""
    if barrier(record.host) is None:
        return await _ask(record, ways, reach)
    shown = await show(record, reach)
    if barrier(shown(record).host) is not None:
        return shown
    seen = await _ask(shown(record), ways, reach)
    return lambda stored: seen(shown(stored))


async def _ask(record: HostRecord, ways: Ways, reach: Reach) -> Change:
    try:
        async with asyncio.timeout(LIMIT_S):
            return await _answer(record, ways)
    except HostKeyChangedError:
        return await show(record, reach)
    except TimeoutError:
        return _silence(record, HostCommandTimeoutError(f"it did not answer in {LIMIT_S:g} s"))
    except AgiError as error:
        return _silence(record, error)


async def show(record: HostRecord, reach: Reach) -> Change:
    """Ask a host for its key and say what that changes."""
    try:
        async with asyncio.timeout(LIMIT_S):
            key = await reach.offered_key(record.login)
    except TimeoutError:
        return _silence(record, HostCommandTimeoutError(f"it did not answer in {LIMIT_S:g} s"))
    except AgiError as error:
        return _silence(record, error)
    now = datetime.now(UTC)
    return lambda stored: host_life.shown(stored, key, now)


async def _answer(record: HostRecord, ways: Ways) -> Change:
    transport, host = ways.to(record), record.host
    found = await survey(
        transport,
        shared_home=not host.root and not record.always_there,
        python=transport.python if record.always_there else host.python_path,
        uv=transport.uv if record.always_there else "",
    )
    now = datetime.now(UTC)
    return lambda stored: host_life.surveyed(stored, found, now)


def _silence(record: HostRecord, error: AgiError) -> Change:
    now = datetime.now(UTC)
    named = host_life.about(record.address, error)
    return lambda stored: host_life.failed(stored, named, now)
