"""The calls of ``DaemonService``."""

from __future__ import annotations

from agi_cluster.api.v1 import daemon_pb2 as pb
from agi_cluster.api.v1.daemon_pb2_grpc import DaemonServiceStub
from agi_cluster.client.call import Call, new_request_id
from agi_cluster.client.deadlines import Pace
from agi_cluster.model.daemon import Backup, DaemonInfo
from agi_cluster.wire.daemon import backup_from_wire, daemon_from_wire
from agi_cluster.wire.message import checked


def get_daemon() -> Call[DaemonInfo]:
    """What daemon this is."""
    request = pb.GetDaemonRequest()
    return Call(stub=DaemonServiceStub, rpc="GetDaemon", request=request, parse=daemon_from_wire)


def stop_daemon(*, request_id: str = "", validate_only: bool = False) -> Call[DaemonInfo]:
    """Ask the daemon to end; runs go on."""
    request = checked(pb.StopDaemonRequest)(
        request_id=new_request_id(request_id), validate_only=validate_only
    )
    return Call(
        stub=DaemonServiceStub,
        rpc="StopDaemon",
        request=request,
        parse=daemon_from_wire,
        pace=Pace.CHANGE,
    )


def create_backup(
    path: str = "", *, request_id: str = "", validate_only: bool = False
) -> Call[Backup]:
    """Copy the daemon's database while it is used, to a new file on the manager."""
    request = checked(pb.CreateBackupRequest)(
        request_id=new_request_id(request_id), path=path, validate_only=validate_only
    )
    return Call(
        stub=DaemonServiceStub,
        rpc="CreateBackup",
        request=request,
        parse=backup_from_wire,
        pace=Pace.PLAN,
    )
