"""How far an installation is on each host, learned from what its watch says."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from attrs import define

from agi_cluster.model.event import Event
from agi_cluster.model.installation import Installation
from agi_cluster.text import byte_count, counted

_STEPS = {
    "received": "taking wheels",
    "waiting": "waiting for another install there",
    "venv": "making the environment",
    "install": "unpacking",
    "bytecode": "compiling",
    "verify": "importing",
    "record": "storing",
}
_ENDS = {"ready": "ready", "unchanged": "nothing to do", "failed": "failed"}


@define
class HostProgress:
    """What is going on on one host."""

    words: str = "waiting"
    ended: bool = False
    seconds: float = 0.0
    """Since the install began, until it ended there."""


class InstallTracker:
    """Gathers what is going on where; asked for from another thread.

    Args:
        installation: As it was accepted.
        clock: Seconds that never go back.
    """

    def __init__(
        self, installation: Installation, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.app = installation.app
        self._clock = clock
        self._began = clock()
        self.hosts = {each.host: HostProgress() for each in installation.hosts}

    def take(self, event: Event) -> None:
        """Learn what one event says."""
        host = str(event.data.get("host", ""))
        words = _words(event.kind, event.data)
        if not host or not words:
            return
        self.hosts[host] = HostProgress(words, event.kind in _ENDS, self._clock() - self._began)

    def seconds(self, host: str) -> float:
        """How long it has taken on a host."""
        progress = self.hosts[host]
        return progress.seconds if progress.ended else self._clock() - self._began

    @property
    def summary(self) -> str:
        """All of it, in a line."""
        over = sum(progress.ended for progress in self.hosts.values())
        return f"installing {self.app}: {over} of {counted(len(self.hosts), 'host')} over"


def _words(kind: str, data: dict[str, Any]) -> str:
    if kind == "realising":
        step = str(data.get("detail", "")).split(" ")[0]
        return _STEPS.get(step, step)
    if kind == "shipping":
        wheels = counted(len(data.get("wheels", ())), "wheel")
        return f"shipping {wheels}, {byte_count(int(data.get('bytes', 0)))}"
    if kind == "collecting":
        return f"fetching {counted(len(data.get('wheels', ())), 'wheel')} to the manager"
    plain = {"checked": "looked at", "repeated": "connecting again", **_ENDS}
    return plain.get(kind, "")
