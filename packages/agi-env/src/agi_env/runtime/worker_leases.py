"""Leases: for how long each worker keeps its slot. Pure; time comes from outside.

An expired lease permits to do its work elsewhere; it is no proof that its worker is dead. So a
lease that has ended is never taken for valid again, whatever its worker says later.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Lease:
    """One worker's hold on one slot.

    Attributes:
        id: Its name, used once.
        slot: The slot.
        worker: The worker's address.
        until: When it expires, unless it is renewed before.
    """

    id: str
    slot: int
    worker: str
    until: float


class WorkerLeases:
    """The leases that one runner granted and that have not ended."""

    def __init__(self, epoch: int, duration_s: float) -> None:
        """Make it empty.

        Args:
            epoch: The runner's epoch, which is part of every lease's name.
            duration_s: Seconds without renewal after which a lease expires.
        """
        self._epoch = epoch
        self._duration_s = duration_s
        self._granted = 0
        self._leases: dict[int, Lease] = {}

    def of(self, slot: int) -> Lease | None:
        """The lease on a slot."""
        return self._leases.get(slot)

    def held_by(self, worker: str) -> Lease | None:
        """The lease that a worker holds."""
        return next((each for each in self._leases.values() if each.worker == worker), None)

    def grant(self, slot: int, worker: str, at: float) -> Lease | None:
        """Grant a slot to a worker; none when another worker holds it."""
        if slot in self._leases:
            return None
        self._granted += 1
        lease = Lease(f"{self._epoch}.{self._granted}", slot, worker, at + self._duration_s)
        self._leases[slot] = lease
        return lease

    def renew(self, name: str, at: float) -> bool:
        """Prolong a lease; false when it has ended."""
        lease = self.find(name)
        if lease is None or at >= lease.until:
            return False
        self._leases[lease.slot] = replace(lease, until=at + self._duration_s)
        return True

    def find(self, name: str) -> Lease | None:
        """The lease with this name; none when it has ended."""
        return next((each for each in self._leases.values() if each.id == name), None)

    def end(self, slot: int) -> None:
        """End the lease on a slot, if there is one."""
        self._leases.pop(slot, None)

    def expired(self, at: float) -> list[Lease]:
        """The leases whose time is over, in the order of their slots; they have not ended yet."""
        return sorted(
            (each for each in self._leases.values() if at >= each.until), key=lambda each: each.slot
        )

    def deadline(self) -> float | None:
        """When the next lease expires; none while there is none."""
        return min((each.until for each in self._leases.values()), default=None)
