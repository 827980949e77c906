"""``agi.v1.DaemonService``."""

from __future__ import annotations

from agi_cluster.api.v1 import daemon_pb2 as pb
from agi_cluster.api.v1 import daemon_pb2_grpc
from agi_cluster.model.services import DaemonService
from agi_cluster.wire.daemon import backup_to_wire, daemon_to_wire
from agi_daemon.interceptors.surround import Context
from agi_daemon.servicers import fields


class DaemonServicer(daemon_pb2_grpc.DaemonServiceServicer):
    """Offers the daemon itself."""

    def __init__(self, daemon: DaemonService) -> None:
        self._daemon = daemon

    async def GetDaemon(self, request: pb.GetDaemonRequest, context: Context) -> pb.Daemon:
        return daemon_to_wire(await self._daemon.get_daemon())

    async def StopDaemon(self, request: pb.StopDaemonRequest, context: Context) -> pb.Daemon:
        return daemon_to_wire(await self._daemon.stop_daemon(**fields.mutation(request)))

    async def CreateBackup(self, request: pb.CreateBackupRequest, context: Context) -> pb.Backup:
        path = fields.absolute_path(request.path, "path") if request.path else ""
        return backup_to_wire(await self._daemon.create_backup(path, **fields.mutation(request)))
