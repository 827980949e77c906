"""Whether the manager and its hosts see the same folder as their share, and all may write there."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from agi_daemon.doctor.on_host import SHARE
from agi_daemon.doctor.share_view import ShareView, judged, judged_here
from agi_daemon.transport.host_transport import HostTransport
from agi_daemon.transport.local import LocalTransport
from agi_env.errors import AgiError

DEADLINE_S = 3.0
"""How long a share may take to answer, unless told otherwise."""

_LATE_S = 1.0
"""How much later than its file system a machine may answer."""


@frozen
class ShareCheck:
    """What was found on one host.

    Attributes:
        host: The host.
        evidence: What it sees at the place of the share, in words.
        error: What is wrong; None when nothing is.
    """

    host: str
    evidence: str = ""
    error: AgiError | None = None


class Sentinel:
    """A folder on the share, made by the manager, that every host has to find there."""

    def __init__(self, share: Path, deadline_s: float) -> None:
        self._share = share
        self._deadline_s = deadline_s
        self._token = secrets.token_hex(16)
        # What the manager does on the share is done by a process of its own: it may hang there.
        self._manager = LocalTransport(share)

    async def offer(self, local_share: Path) -> ShareView:
        """Put it on the share.

        Raises:
            ShareError: The manager's own share is missing, stale, read-only or the local one.
            DiskFullError: There is no room for it.
        """
        view = await self._asked(self._manager, "offer")
        error = judged_here(view, local_share)
        if error is not None:
            if not view.fault:
                await self.withdraw()
            raise error
        return view

    async def check(self, host: HostTransport) -> ShareCheck:
        """Have a host read it and answer, and see that the manager can read the answer."""
        try:
            view = await self._asked(host, "answer")
            if not view.fault:
                back = await self._answer(self._manager, "collect", name=_name(host))
                view = evolve(view, read_back=str(back.get("read", "")))
        except AgiError as error:
            return ShareCheck(host.host, error=error)
        return ShareCheck(host.host, view.evidence, judged(view, self._token))

    async def withdraw(self) -> None:
        """Remove it with all answers; a share that hangs by now is left as it is."""
        await self._answer(self._manager, "withdraw")

    async def _asked(self, host: HostTransport, act: str) -> ShareView:
        answer = await self._answer(host, act, name=_name(host))
        return ShareView.from_json(host.host, self._share, answer)

    async def _answer(self, host: HostTransport, act: str, **facts: str) -> dict[str, Any]:
        request = {
            "act": act,
            "share": str(self._share),
            "folder": f".agi-check-{self._token[:12]}",
            "token": self._token,
            "limit_s": self._deadline_s,
            **facts,
        }
        return await SHARE.ask(host, request, deadline_s=self._deadline_s + _LATE_S)


@asynccontextmanager
async def sentinel_on(
    share: Path, *, local_share: Path, deadline_s: float = DEADLINE_S
) -> AsyncIterator[Sentinel]:
    """A sentinel on the share for the time of a ``with``.

    Raises:
        ShareError: As of `Sentinel.offer`.
        DiskFullError: There is no room for it.
    """
    sentinel = Sentinel(share, deadline_s)
    await sentinel.offer(local_share)
    try:
        yield sentinel
    finally:
        await sentinel.withdraw()


async def check_share(
    manager_share: Path,
    transports: Sequence[HostTransport],
    *,
    local_share: Path,
    deadline_s: float = DEADLINE_S,
) -> list[ShareCheck]:
    """Prove that hosts and manager see the same share at the same place, and may write there.

    Args:
        manager_share: The share, as the manager knows it; the same path is meant on each host.
        transports: The hosts; they are asked at the same time, and none waits for another.
        local_share: The local share, which is never taken for the cluster's.
        deadline_s: Seconds that the share may take to answer, on each machine and each time.

    Returns:
        One check for each host, in their order; a host that cannot be asked says so there.

    Raises:
        ShareError: The manager's own share is missing, stale, read-only or the local one.
        DiskFullError: There is no room for the sentinel.
    """
    async with sentinel_on(
        manager_share, local_share=local_share, deadline_s=deadline_s
    ) as sentinel:
        return list(await asyncio.gather(*(sentinel.check(host) for host in transports)))


def _name(host: HostTransport) -> str:
    return "host-" + "".join(c if c.isalnum() or c in ".-" else "_" for c in host.host)
