"""The hosts and slots that one call chooses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from attrs import field, frozen

from agi_env.errors import SlotsInvalidError
from agi_env.scheduler_address import is_host

THIS_MACHINE = "127.0.0.1"
"""The address of the manager as a Host."""


def checked_workers(workers: Mapping[str, object]) -> dict[str, int]:
    """The map of hosts to slots, if every count is a whole number of at least 1.

    Raises:
        SlotsInvalidError: A count is none, or a key can be no host; the message names both.
    """
    for host, slots in workers.items():
        if not is_host(host):
            raise SlotsInvalidError(
                f"{host!r} is no host",
                where="workers",
                remedy="Give names or addresses of hosts",
                metadata={"host": host},
            )
        if isinstance(slots, bool) or not isinstance(slots, int) or slots < 1:
            raise SlotsInvalidError(
                f"{slots!r} is no slot count", where=f"workers[{host!r}]", metadata={"host": host}
            )
    return {str(host): int(str(slots)) for host, slots in workers.items()}


@frozen(kw_only=True)
class Selection:
    """The scheduler and the slots per host; empty fields mean "as in the settings"."""

    scheduler: str = ""
    workers: dict[str, int] = field(factory=dict, converter=checked_workers)
    cores_per_slot: int = 0
    """Cores of each slot; 0 means the host's cores divided by its slots, at least 1."""

    def over(self, settings: Selection) -> Selection:
        """This selection, with what it leaves open taken from the settings."""
        return Selection(
            scheduler=self.scheduler or settings.scheduler,
            workers=self.workers or settings.workers,
            cores_per_slot=self.cores_per_slot or settings.cores_per_slot,
        )

    @property
    def digest(self) -> str:
        """The sha256 of what a plan is bound to."""
        text = json.dumps([self.scheduler, sorted(self.workers.items()), self.cores_per_slot])
        return hashlib.sha256(text.encode()).hexdigest()
