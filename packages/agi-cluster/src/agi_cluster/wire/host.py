"""The machines that the daemon knows."""

from __future__ import annotations

from agi_cluster.api.v1 import hosts_pb2 as pb
from agi_cluster.model.host import Host, HostState
from agi_cluster.wire.errors import error_from_wire, error_to_wire
from agi_cluster.wire.state import enum_from_wire, enum_to_wire
from agi_cluster.wire.time import optional_time, time_to_wire

_ALIKE = (
    *("address", "cores", "reason", "leased_cores", "drained", "user", "port", "identity_file"),
    *("offered_fingerprint", "fingerprint", "memory_bytes", "python_version", "python_path"),
    *("platform", "os", "libc", "uv_version", "uv_path", "home", "root", "disk_free_bytes"),
    *("clock_offset", "boot_id", "account", "etag"),
)
"""The fields that are the same here and there."""


def host_to_wire(host: Host) -> pb.Host:
    """The host as a message."""
    return pb.Host(
        name=f"hosts/{host.address}",
        state=enum_to_wire(pb.Host.State, host.state),
        error=error_to_wire(host.error),
        pythons=host.pythons,
        gpus=host.gpus,
        check_time=time_to_wire(host.check_time),
        seen_time=time_to_wire(host.seen_time),
        create_time=time_to_wire(host.create_time),
        **{name: getattr(host, name) for name in _ALIKE},
    )


def host_from_wire(host: pb.Host) -> Host:
    """The host in a message."""
    return Host(
        state=enum_from_wire(HostState, pb.Host.State, host.state),
        error=error_from_wire(host.error),
        pythons=tuple(host.pythons),
        gpus=tuple(host.gpus),
        check_time=optional_time(host, "check_time"),
        seen_time=optional_time(host, "seen_time"),
        create_time=optional_time(host, "create_time"),
        **{name: getattr(host, name) for name in _ALIKE},
    )
