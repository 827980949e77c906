"""Whether a run that goes on may be adopted: it has to be this daemon's own, with its builds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import PurePosixPath

from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.runs.record import RunRecord
from agi_daemon.transport.host_transport import HostTransport


def obstacle(
    record: RunRecord,
    known: Collection[str],
    keys: Collection[str],
    transport: Callable[[str], HostTransport],
) -> str:
    """Why a run cannot be adopted; empty where it can.

    What this machine tells was written by this very user. Another host tells what it likes: a run
    of ours has its keys here before anything of it is on any host, and only our builds.

    Args:
        record: The run, as the host of its runner tells it.
        known: The hosts that are enrolled.
        keys: The runs whose keys are here.
        transport: The way to a host that is enrolled.

    Raises:
        AgiError: There is no way to one of its hosts.
    """
    missing = [host for host in (record.runner_host, *record.builds) if host not in known]
    if missing:
        return f"{', '.join(missing)} is not enrolled: restore a backup, or enrol it"
    if record.runner_host == THIS_MACHINE:
        return ""
    if record.run.id not in keys:
        return "its keys are not here, it is another daemon's: once it has ended it is taken in"
    foreign = [path for host, path in _builds(record) if not _is_build(transport(host), path)]
    if foreign:
        return f"{record.runner_host} names builds that are none of ours: {', '.join(foreign)}"
    return ""


def _builds(record: RunRecord) -> Iterator[tuple[str, str]]:
    yield from record.builds.items()
    if record.manager_build:
        yield THIS_MACHINE, record.manager_build


def _is_build(transport: HostTransport, path: str) -> bool:
    """Whether a path is one of a build there, by its name: where a link leads may change."""
    place = PurePosixPath(path)
    return place.parent == transport.root / "builds" and place.name != ".."
