"""What the modes of an app come to on its hosts."""

from __future__ import annotations

from agi_cluster.api.v1 import modes_pb2 as pb
from agi_cluster.model.modes import (
    AppModes,
    Device,
    HostAbilities,
    HostVerdict,
    ModeVerdict,
    VerdictState,
)
from agi_cluster.wire.name import app_reference
from agi_cluster.wire.state import enum_from_wire, enum_to_wire
from agi_env.mode import Mode


def modes_to_wire(modes: AppModes) -> pb.AppModes:
    """The modes as a message."""
    return pb.AppModes(
        name=f"apps/{modes.app}/modes",
        app=f"apps/{modes.app}",
        settings_mode=int(modes.settings_mode),
        modes_enabled=int(modes.modes_enabled),
        hosts=[_abilities_to_wire(each) for each in modes.hosts],
        modes=[_verdict_to_wire(each) for each in modes.modes],
    )


def modes_from_wire(modes: pb.AppModes) -> AppModes:
    """The modes in a message."""
    return AppModes(
        app=app_reference(modes.app),
        settings_mode=Mode.parse(modes.settings_mode),
        modes_enabled=Mode.parse(modes.modes_enabled),
        hosts=tuple(_abilities_from_wire(each) for each in modes.hosts),
        modes=tuple(_verdict_from_wire(each) for each in modes.modes),
    )


def _abilities_to_wire(host: HostAbilities) -> pb.HostAbilities:
    return pb.HostAbilities(
        host=host.host,
        platform=host.platform,
        compiler_reason=host.compiler_reason,
        driver=host.driver,
        cuda=host.cuda,
        devices_reason=host.devices_reason,
        devices=[
            pb.Device(
                index=each.index, uuid=each.uuid, title=each.title, memory_bytes=each.memory_bytes
            )
            for each in host.devices
        ],
    )


def _abilities_from_wire(host: pb.HostAbilities) -> HostAbilities:
    return HostAbilities(
        host=host.host,
        platform=host.platform,
        compiler_reason=host.compiler_reason,
        driver=host.driver,
        cuda=host.cuda,
        devices_reason=host.devices_reason,
        devices=tuple(
            Device(
                index=each.index, uuid=each.uuid, title=each.title, memory_bytes=each.memory_bytes
            )
            for each in host.devices
        ),
    )


def _verdict_to_wire(verdict: ModeVerdict) -> pb.ModeVerdict:
    hosts = [
        pb.HostVerdict(
            host=each.host,
            state=enum_to_wire(pb.HostVerdict.State, each.state),
            reason=each.reason,
            command=each.command,
        )
        for each in verdict.hosts
    ]
    return pb.ModeVerdict(mode=int(verdict.mode), words=verdict.mode.words, hosts=hosts)


def _verdict_from_wire(verdict: pb.ModeVerdict) -> ModeVerdict:
    hosts = (
        HostVerdict(
            host=each.host,
            state=enum_from_wire(VerdictState, pb.HostVerdict.State, each.state),
            reason=each.reason,
            command=each.command,
        )
        for each in verdict.hosts
    )
    return ModeVerdict(mode=Mode.parse(verdict.mode), hosts=tuple(hosts))
