"""Clearing up after runs on hosts that did not answer when the run ended, once they do.

That a run may have left something on a host is stored with the run's settlement, for every host of
a run across machines, and forgotten when the host was seen to be clear. So a daemon that is killed
between the two leaves no worker behind that cannot end by itself, such as a stopped one.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection

from attrs import evolve

from agi_daemon.defects import defect
from agi_daemon.events import Events, Fact
from agi_daemon.log import get_log
from agi_daemon.runs import run_store
from agi_daemon.runs.record import RunRecord
from agi_daemon.runs.run_directory import place_of, python_of
from agi_daemon.store.store import Store
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import AgiError, HostNotFoundError, RefusedError
from agi_env.module_command import module_command

_log = get_log(__name__)

FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0
"""Seconds between two questions to a host that does not answer; twice as long each time."""
DEADLINE_S = 60.0
"""How long a host may take to end what is left of a run."""


class Clearing:
    """One task for each run and host that is still to be cleared up; the store keeps them."""

    def __init__(
        self, store: Store, events: Events, transport: Callable[[str], HostTransport]
    ) -> None:
        self._store = store
        self._events = events
        self._transport = transport
        self._tasks: set[asyncio.Task[None]] = set()

    def adopt(self) -> None:
        """Go on with what an earlier daemon could not clear up."""
        for run_id, host in self._store.read(run_store.uncleared):
            self._begin(run_id, host)

    async def conclude(self, run_id: str, left: Collection[str]) -> RunRecord:
        """Of the hosts that a settled run owes, only these are not clear: say so, begin to try."""

        def work(connection: sqlite3.Connection) -> RunRecord:
            record = run_store.find(connection, run_id)
            run_store.owe_only(connection, run_id, left)
            if left:
                record = evolve(record, run=evolve(record.run, uncleared_hosts=tuple(sorted(left))))
                run_store.update(connection, record)
                fact = Fact(kind="hosts_uncleared", data={"hosts": sorted(left)})
                self._events.append(connection, record.subject, [fact])
            return record

        record = await self._store.keep(work)
        self._events.announce(record.subject)
        for host in left:
            self._begin(run_id, host)
        return record

    async def aclose(self) -> None:
        """Let go; the next daemon goes on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, run_id: str, host: str) -> None:
        task = asyncio.create_task(self._clear(run_id, host), name=f"clear {run_id} on {host}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _clear(self, run_id: str, host: str) -> None:
        pause = FIRST_PAUSE_S
        while not await self._cleared(run_id, host):
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _cleared(self, run_id: str, host: str) -> bool:
        record = self._store.read(lambda db: run_store.find(db, run_id))
        try:
            await _end_there(self._transport(host), record)
            reason = ""
        except HostNotFoundError as error:  # nobody will ever reach it again through us
            reason = error.what
        except AgiError as error:
            _log.info("not cleared yet", run=run_id, host=host, reason=error.what)
            return False
        except Exception as error:  # noqa: BLE001 - the boundary: logged, and tried again
            defect(error, where=f"clearing {run_id} on {host}")
            return False
        await self._done(run_id, host, reason)
        return True

    async def _done(self, run_id: str, host: str, reason: str) -> None:
        fact = Fact(kind="host_cleared", data={"host": host, "reason": reason})

        def work(connection: sqlite3.Connection) -> str:
            record = run_store.find(connection, run_id)
            run_store.settle_debt(connection, run_id, host)
            if host not in record.run.uncleared_hosts:  # only a daemon that died cared to look
                return record.subject
            left = tuple(each for each in record.run.uncleared_hosts if each != host)
            record = evolve(record, run=evolve(record.run, uncleared_hosts=left))
            run_store.update(connection, record)
            self._events.append(connection, record.subject, [fact])
            return record.subject

        self._events.announce(await self._store.keep(work))


async def _end_there(transport: HostTransport, record: RunRecord) -> None:
    """End what is left of a run on a host.

    Raises:
        AgiError: The host does not answer, or something went wrong there.
    """
    python, place = python_of(transport, record), str(place_of(transport, record.run.id))
    argv = module_command(python, "agi_env.runtime.clear_run", place)
    ended = await transport.run(argv, deadline_s=DEADLINE_S)
    if ended.returncode != 0:
        said = ended.stdout.decode(errors="replace")[-500:]
        raise RefusedError(f"what is left of a run could not be ended: {said}", where=record.run.id)
