"""Where the workers of a run meet its runner, and where that goes when its host is lost."""

from __future__ import annotations

from collections.abc import Callable

from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.apps.slots import LOCAL_NAMES
from agi_daemon.runs.record import RunRecord
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import RefusedError

_DEADLINE_S = 15.0


async def meeting_host(record: RunRecord, transport: Callable[[str], HostTransport]) -> str:
    """The address at which the run's workers reach its runner's host.

    It is what the map calls that host, unless that is this machine's name for itself while others
    work for it too: then it is the address from which the first of them sees this machine.

    Raises:
        HostError: That host cannot be asked.
        RefusedError: It does not say; the scheduler's address has to be given.
    """
    named = record.moved_to or record.resolution.scheduler.host
    others = [host for host in record.resolution.cores if host != THIS_MACHINE]
    if named not in LOCAL_NAMES or not others:
        return named
    return await _seen_from(transport(others[0]))


def successor(record: RunRecord) -> str | None:
    """The next host that can have the runner: this machine first, then those of the workers.

    Only hosts with a build of the run's release can; the one that has it now comes last.
    """
    able = [THIS_MACHINE, *record.resolution.cores, record.resolution.runner_host]
    ring = [host for host in dict.fromkeys(able) if host in record.builds]
    place = ring.index(record.runner_host) if record.moved_to else -1
    following = [
        host for host in ring[place + 1 :] + ring[: place + 1] if host != record.runner_host
    ]
    return following[0] if following else None


async def _seen_from(transport: HostTransport) -> str:
    # What sshd tells those who log in: "client-address client-port server-address server-port".
    told = await transport.run(["printenv", "SSH_CONNECTION"], deadline_s=_DEADLINE_S)
    words = told.stdout.decode(errors="replace").split()
    if len(words) != 4:
        raise RefusedError(
            "it does not say at which address it sees this machine",
            where=transport.host,
            remedy="Give the scheduler's address: `agi settings set APP cluster.scheduler=ADDRESS`",
        )
    return words[0].partition("%")[0]
