"""A run across machines starts only where all of them see the same share."""

from __future__ import annotations

from collections.abc import Callable

from agi_cluster.model.selection import THIS_MACHINE
from agi_daemon.apps.resolution import Resolution
from agi_daemon.doctor.share import check_share
from agi_daemon.transport.host_transport import HostTransport
from agi_env.paths import local_share
from agi_env.share import share_root


async def require_share(resolution: Resolution, transport: Callable[[str], HostTransport]) -> None:
    """See that the run's hosts and this machine have one writable folder at the share's place.

    A run that stays on this machine has nothing to share.

    Raises:
        ShareError: It is missing, read-only, local, stale or another one on a host.
        AgiError: A host cannot be asked.
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
