"""The daemon as its clients see it."""

from __future__ import annotations

from pathlib import PurePosixPath

from agi_cluster.api.v1 import daemon_pb2 as pb
from agi_cluster.model.daemon import Backup, DaemonInfo
from agi_cluster.wire.time import time_from_wire, time_to_wire


def daemon_to_wire(daemon: DaemonInfo) -> pb.Daemon:
    """The daemon as a message."""
    return pb.Daemon(
        version=daemon.version,
        api=daemon.api,
        pid=daemon.pid,
        start_time=time_to_wire(daemon.start_time),
        state_directory=daemon.state_directory,
        log_path=daemon.log_path,
        schema=daemon.schema,
        active_runs=daemon.active_runs,
        address=daemon.address,
    )


def daemon_from_wire(daemon: pb.Daemon) -> DaemonInfo:
    """The daemon in a message."""
    return DaemonInfo(
        version=daemon.version,
        api=daemon.api,
        pid=daemon.pid,
        start_time=time_from_wire(daemon.start_time),
        state_directory=daemon.state_directory,
        log_path=daemon.log_path,
        schema=daemon.schema,
        active_runs=daemon.active_runs,
        address=daemon.address,
    )


def backup_to_wire(backup: Backup) -> pb.Backup:
    """A backup as a message."""
    return pb.Backup(
        name=f"backups/{PurePosixPath(backup.path).name}",
        path=backup.path,
        bytes=backup.bytes,
        schema=backup.schema,
        create_time=time_to_wire(backup.create_time),
    )


def backup_from_wire(backup: pb.Backup) -> Backup:
    """The backup in a message."""
    return Backup(
        path=backup.path,
        bytes=backup.bytes,
        schema=backup.schema,
        create_time=time_from_wire(backup.create_time),
    )
