"""Which GPU each slot of a run has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from attrs import evolve

from agi_daemon.apps.resolution import Resolution
from agi_daemon.hosts.abilities import Abilities
from agi_daemon.install.host_abilities import Devices, no_devices
from agi_env.mode import Mode
from agi_env.runtime.spec import SlotSpec


async def with_devices(resolution: Resolution, abilities: Abilities) -> Resolution:
    """The resolution with its slots bound to GPUs; the same without the rapids bit.

    Raises:
        ModeNotEnabledError: A host of its slots has no GPU; it is named.
        AgiError: A host cannot be asked.
    """
    if Mode.RAPIDS not in resolution.mode:
        return resolution
    hosts = tuple(resolution.cores)
    known = {host: await abilities.one(host) for host in hosts}
    for host in hosts:
        if known[host].devices.reason:
            raise no_devices(host, known[host].devices.reason, resolution.mode)
    devices = {host: each.devices for host, each in known.items()}
    return evolve(resolution, slots=bound(resolution.slots, devices))


def bound(slots: tuple[SlotSpec, ...], devices: Mapping[str, Devices]) -> tuple[SlotSpec, ...]:
    """The slots with their GPUs: those of a host are dealt out among its slots, in turns.

    Where a host has more slots than GPUs, slots share one; each has at least one. Pure.
    """
    counts = Counter(slot.host for slot in slots)
    seen: Counter[str] = Counter()
    made = []
    for slot in slots:
        place, total = seen[slot.host], counts[slot.host]
        every = [device.index for device in devices[slot.host].found]
        own = every[place::total] or [every[place % len(every)]]
        seen[slot.host] += 1
        made.append(replace(slot, devices=tuple(own)))
    return tuple(made)
