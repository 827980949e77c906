"""From a map of hosts to the slots of a run: pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agi_cluster.model.login_name import canonical
from agi_cluster.model.selection import THIS_MACHINE, Selection
from agi_env.errors import SelectionInvalidError
from agi_env.mode import Mode
from agi_env.runtime.own_address import is_outside_address
from agi_env.runtime.spec import SlotSpec

LOCAL_NAMES = frozenset({THIS_MACHINE, "localhost", "::1"})
"""What this machine is called in a map; it is known as 127.0.0.1."""


def slots_of(
    selection: Selection, mode: Mode, cores_of: Callable[[str], int]
) -> tuple[SlotSpec, ...]:
    """The slots in the order of the map.

    Without the pool and cluster bits there is one executor, so the map becomes one slot. With the
    pool bit a slot has as many executors as cores, of one thread each; without it, one executor
    with that many threads.

    Args:
        selection: A map that fits the mode, see ``for_mode``.
        mode: The mode of the run.
        cores_of: The cores of a host.
    """
    alone = not mode & (Mode.POOL | Mode.CLUSTER)
    hosts: list[tuple[str, int]] = []
    for host, slots in selection.workers.items():
        cores = selection.cores_per_slot or max(1, cores_of(host) // slots)
        hosts += [(host, cores)] * slots
    return tuple(
        _slot(index, host, cores, mode)
        for index, (host, cores) in enumerate(hosts[:1] if alone else hosts)
    )


def _slot(index: int, host: str, cores: int, mode: Mode) -> SlotSpec:
    pooled = Mode.POOL in mode
    return SlotSpec(
        index=index,
        host=host,
        cores=cores,
        executors=cores if pooled else 1,
        threads=1 if pooled else cores,
    )


def for_mode(asked: Selection, settings: Selection, mode: Mode) -> Selection:
    """The selection of a call: what it asks for, over the settings, as far as the mode allows.

    Without the cluster bit only this machine works. A map that the call itself gives must then
    be local; of the settings, which describe the cluster for when it is switched on, only the
    part about this machine counts.

    Raises:
        SelectionInvalidError: The call's own map names another machine in a local mode.
    """
    chosen = asked.over(settings)
    workers = _named_alike(chosen.workers)
    if Mode.CLUSTER not in mode:
        _refuse_others(asked.workers, mode)
        workers = {THIS_MACHINE: workers.get(THIS_MACHINE, 1)}
    return Selection(
        scheduler=chosen.scheduler if Mode.CLUSTER in mode else THIS_MACHINE,
        workers=workers,
        cores_per_slot=chosen.cores_per_slot,
    )


def _named_alike(workers: dict[str, int]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for host, slots in workers.items():
        name = known_as(host)
        counted[name] = counted.get(name, 0) + slots
    return counted


def known_as(host: str) -> str:
    """The name under which a host is known: one for this machine, one for each IPv6 address.

    The addresses at which others reach this machine are names of it too.
    """
    address = canonical(host) or host
    ours = address in LOCAL_NAMES or is_outside_address(address)
    return THIS_MACHINE if ours else address


def _refuse_others(workers: Iterable[str], mode: Mode) -> None:
    others = [host for host in workers if known_as(host) != THIS_MACHINE]
    if others:
        raise SelectionInvalidError(
            f"mode {mode.words} runs on this machine only, and the map names {', '.join(others)}",
            where="workers",
            metadata={"host": others[0]},
        )
