"""The machines that the daemon knows."""

from __future__ import annotations

from agi_cluster.api.v1 import hosts_pb2 as pb
from agi_cluster.model.host import Host, HostState
from agi_cluster.wire.state import enum_from_wire, enum_to_wire
from agi_cluster.wire.time import optional_time, time_to_wire


def host_to_wire(host: Host) -> pb.Host:
    """The host as a message."""
    return pb.Host(
        name=f"hosts/{host.address}",
        address=host.address,
        state=enum_to_wire(pb.Host.State, host.state),
        reason=host.reason,
        cores=host.cores,
        leased_cores=host.leased_cores,
        memory_bytes=host.memory_bytes,
        python_version=host.python_version,
        platform=host.platform,
        uv_version=host.uv_version,
        check_time=time_to_wire(host.check_time),
    )


def host_from_wire(host: pb.Host) -> Host:
    """The host in a message."""
    return Host(
        address=host.address,
        cores=host.cores,
        state=enum_from_wire(HostState, pb.Host.State, host.state),
        reason=host.reason,
        leased_cores=host.leased_cores,
        memory_bytes=host.memory_bytes,
        python_version=host.python_version,
        platform=host.platform,
        uv_version=host.uv_version,
        check_time=optional_time(host, "check_time"),
    )
