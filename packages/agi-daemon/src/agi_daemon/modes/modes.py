"""The modes of an app as the API offers them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from agi_cluster.model import modes as model
from agi_cluster.model.selection import THIS_MACHINE, Selection
from agi_daemon.apps.registry import Apps
from agi_daemon.apps.slots import known_as
from agi_daemon.hosts.abilities import Abilities
from agi_daemon.hosts.hosts import Hosts
from agi_daemon.install.host_abilities import HostAbilities
from agi_daemon.modes.negotiation import Situation, verdict
from agi_env.errors import AgiError, ShareError
from agi_env.mode import Mode
from agi_env.settings import Settings
from agi_env.share import share_root

ALL = tuple(map(Mode, range(16)))

Known = Mapping[str, HostAbilities | AgiError]


class Modes:
    """Implements ``agi_cluster.model.services.ModeService``."""

    def __init__(self, apps: Apps, hosts: Hosts, abilities: Abilities) -> None:
        self._apps = apps
        self._hosts = hosts
        self._abilities = abilities

    async def get_modes(self, app: str, selection: Selection = Selection()) -> model.AppModes:
        """What each mode comes to on each host of the selection, and on this machine."""
        found, snapshot = await self._apps.read_settings(app)
        settings = snapshot.settings
        hosts = _hosts(selection, settings)
        for host in hosts:
            self._hosts.record(host)
        known = await self._asked(hosts)
        situation = Situation(
            app=found.name,
            enabled=settings.modes_enabled,
            share_reason=_share_reason(),
            manager=known[THIS_MACHINE],
        )
        return model.AppModes(
            app=found.name,
            settings_mode=settings.mode,
            modes_enabled=settings.modes_enabled,
            hosts=tuple(_told(each) for each in known.values() if not isinstance(each, AgiError)),
            modes=tuple(_verdict(mode, known, situation) for mode in ALL),
        )

    async def _asked(self, hosts: Sequence[str]) -> Known:
        """What each host can do; one that cannot be asked hides no other."""
        answers = await asyncio.gather(*(self._one(host) for host in hosts))
        return dict(zip(hosts, answers, strict=True))

    async def _one(self, host: str) -> HostAbilities | AgiError:
        try:
            return await self._abilities.one(host)
        except AgiError as error:  # it is the verdict on this host
            return error


def _hosts(selection: Selection, settings: Settings) -> tuple[str, ...]:
    chosen = selection.workers or settings.workers
    return tuple(dict.fromkeys([THIS_MACHINE, *map(known_as, chosen)]))


def _verdict(mode: Mode, known: Known, situation: Situation) -> model.ModeVerdict:
    hosts = tuple(verdict(mode, host, each, situation) for host, each in known.items())
    return model.ModeVerdict(mode=mode, hosts=hosts)


def _share_reason() -> str:
    try:
        share_root(Mode.CLUSTER)
    except ShareError as error:
        return error.what
    return ""


def _told(abilities: HostAbilities) -> model.HostAbilities:
    devices = abilities.devices
    return model.HostAbilities(
        host=abilities.host,
        platform=abilities.facts.platform.tag,
        compiler_reason=abilities.compiler_reason,
        driver=devices.driver,
        cuda=devices.cuda,
        devices_reason=devices.reason,
        devices=tuple(
            model.Device(
                index=each.index, uuid=each.uuid, title=each.name, memory_bytes=each.memory_bytes
            )
            for each in devices.found
        ),
    )
