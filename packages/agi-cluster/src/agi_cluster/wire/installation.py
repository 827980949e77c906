"""Installs of an app's worker runtime, and their updates."""

from __future__ import annotations

from agi_cluster.api.v1 import installations_pb2 as pb
from agi_cluster.model.event import Event
from agi_cluster.model.installation import HostInstallation, Installation, InstallationState
from agi_cluster.wire.errors import error_from_wire, error_to_wire
from agi_cluster.wire.event import event_from_wire, event_to_wire
from agi_cluster.wire.name import app_reference, resource_id
from agi_cluster.wire.state import enum_from_wire, enum_to_wire
from agi_cluster.wire.time import optional_time, time_from_wire, time_to_wire
from agi_env.mode import Mode


def installation_to_wire(installation: Installation) -> pb.Installation:
    """The installation as a message."""
    return pb.Installation(
        name=f"installations/{installation.id}",
        app=f"apps/{installation.app}",
        state=enum_to_wire(pb.Installation.State, installation.state),
        modes_enabled=int(installation.modes_enabled),
        release=installation.release,
        changed_inputs=installation.changed_inputs,
        hosts=[_host_to_wire(host) for host in installation.hosts],
        create_time=time_to_wire(installation.create_time),
        end_time=time_to_wire(installation.end_time),
        error=error_to_wire(installation.error),
        unchanged=installation.unchanged,
    )


def installation_from_wire(installation: pb.Installation) -> Installation:
    """The installation in a message."""
    return Installation(
        id=resource_id("installations", installation.name),
        app=app_reference(installation.app),
        state=enum_from_wire(InstallationState, pb.Installation.State, installation.state),
        modes_enabled=Mode.parse(installation.modes_enabled),
        release=installation.release,
        changed_inputs=tuple(installation.changed_inputs),
        hosts=tuple(_host_from_wire(host) for host in installation.hosts),
        create_time=time_from_wire(installation.create_time),
        end_time=optional_time(installation, "end_time"),
        error=error_from_wire(installation.error),
        unchanged=installation.unchanged,
    )


def installation_update_to_wire(
    update: Installation | Event, sequence: int
) -> pb.WatchInstallationResponse:
    """One message of a watch."""
    if isinstance(update, Event):
        return pb.WatchInstallationResponse(event=event_to_wire(update), sequence=sequence)
    return pb.WatchInstallationResponse(snapshot=installation_to_wire(update), sequence=sequence)


def installation_update_from_wire(
    response: pb.WatchInstallationResponse,
) -> tuple[Installation | Event, int]:
    """The snapshot or event in a message of a watch, and the number it includes."""
    if response.WhichOneof("update") == "event":
        return event_from_wire(response.event), response.sequence
    return installation_from_wire(response.snapshot), response.sequence


def _host_to_wire(host: HostInstallation) -> pb.HostInstallation:
    return pb.HostInstallation(
        host=host.host,
        state=enum_to_wire(pb.Installation.State, host.state),
        build=host.build,
        unchanged=host.unchanged,
        shipped_wheels=host.shipped_wheels,
        shipped_bytes=host.shipped_bytes,
        seconds=host.seconds,
        error=error_to_wire(host.error),
    )


def _host_from_wire(host: pb.HostInstallation) -> HostInstallation:
    return HostInstallation(
        host=host.host,
        state=enum_from_wire(InstallationState, pb.Installation.State, host.state),
        build=host.build,
        unchanged=host.unchanged,
        shipped_wheels=tuple(host.shipped_wheels),
        shipped_bytes=host.shipped_bytes,
        seconds=host.seconds,
        error=error_from_wire(host.error),
    )
