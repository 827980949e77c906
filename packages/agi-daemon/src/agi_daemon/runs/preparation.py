"""What has to be there on all of a run's hosts before it starts: one share, and its builds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.apps.resolution import Resolution
from agi_daemon.doctor.share import check_share
from agi_daemon.install.builds import Builds, Built
from agi_daemon.runs.record import RunRecord
from agi_daemon.transport.host_transport import HostTransport
from agi_env.paths import local_share
from agi_env.share import share_root

Transports = Callable[[str], HostTransport]


async def prepared(record: RunRecord, builds: Builds, transport: Transports) -> Built:
    """The builds on all hosts, once those of a cluster were seen to share one folder.

    Raises:
        ShareError: It is missing, read-only, local, stale or another one somewhere.
        AgiError: A build cannot be had, or a host cannot be asked.
    """
    resolution = record.resolution
    building = asyncio.create_task(
        builds.ensure(
            resolution.app_path,
            resolution.hosts,
            modes_enabled=resolution.modes_enabled,
            may_install=not record.no_install,
        ),
        name=f"release for {record.run.id}",
    )
    try:
        await _require_share(resolution, transport)
        return await building
    finally:
        building.cancel()
        await asyncio.gather(building, return_exceptions=True)


async def _require_share(resolution: Resolution, transport: Transports) -> None:
    """See that the run's hosts and this machine have one writable folder at the share's place.

    A run that stays on this machine has nothing to share.
    """
    others = [host for host in resolution.hosts if host != THIS_MACHINE]
    if not resolution.clustered or not others:
        return
    checks = await check_share(
        share_root(resolution.mode),
        [transport(host) for host in others],
        local_share=local_share(),
    )
    for check in checks:
        if check.error is not None:
            raise check.error
