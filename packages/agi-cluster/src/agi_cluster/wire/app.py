"""Apps, their settings, and changes to them."""

from __future__ import annotations

from agi_cluster.api.v1 import apps_pb2
from agi_cluster.model.app import App, AppSettings, SettingChange
from agi_cluster.model.selection import Selection
from agi_cluster.wire.json_value import struct_from_wire, struct_to_wire
from agi_cluster.wire.message import checked
from agi_cluster.wire.name import app_reference
from agi_env.mode import Mode


def app_to_wire(app: App) -> apps_pb2.App:
    """The app as a message."""
    return apps_pb2.App(
        name=f"apps/{app.name}",
        target=app.target,
        path=app.path,
        settings_path=app.settings_path,
        requires_python=app.requires_python,
    )


def app_from_wire(app: apps_pb2.App) -> App:
    """The app in a message."""
    return App(
        name=app_reference(app.name),
        target=app.target,
        path=app.path,
        settings_path=app.settings_path,
        requires_python=app.requires_python,
    )


def settings_to_wire(settings: AppSettings) -> apps_pb2.Settings:
    """The settings as a message."""
    return apps_pb2.Settings(
        name=f"apps/{settings.app}/settings",
        etag=settings.etag,
        digest=settings.digest,
        path=settings.path,
        text=settings.text,
        args=struct_to_wire(settings.args, where="args"),
        cluster=_cluster_to_wire(settings),
        mode=int(settings.mode),
        modes_enabled=int(settings.modes_enabled),
        explanation=settings.explanation,
    )


def settings_from_wire(settings: apps_pb2.Settings) -> AppSettings:
    """The settings in a message."""
    cluster = settings.cluster
    return AppSettings(
        app=app_reference(settings.name),
        etag=settings.etag,
        digest=settings.digest,
        path=settings.path,
        text=settings.text,
        args=struct_from_wire(settings.args),
        mode=Mode.parse(settings.mode),
        modes_enabled=Mode.parse(settings.modes_enabled),
        cluster_enabled=cluster.cluster_enabled,
        pool=cluster.pool,
        cython=cluster.cython,
        rapids=cluster.rapids,
        verbose=cluster.verbose,
        selection=_selection(cluster),
        partition_timeout=cluster.partition_timeout,
        run_timeout=cluster.run_timeout,
        explanation=tuple(settings.explanation),
    )


def setting_change_to_wire(change: SettingChange) -> apps_pb2.SettingChange:
    """The change as a message."""
    build = checked(apps_pb2.SettingChange)
    return build(key=change.key, value=change.value, unset=change.unset)


def setting_change_from_wire(change: apps_pb2.SettingChange) -> SettingChange:
    """The change in a message."""
    return SettingChange(key=change.key, value=change.value, unset=change.unset)


def _cluster_to_wire(settings: AppSettings) -> apps_pb2.ClusterSettings:
    return apps_pb2.ClusterSettings(
        cluster_enabled=settings.cluster_enabled,
        scheduler=settings.selection.scheduler,
        pool=settings.pool,
        cython=settings.cython,
        rapids=settings.rapids,
        verbose=settings.verbose,
        workers=settings.selection.workers,
        partition_timeout=settings.partition_timeout,
        run_timeout=settings.run_timeout,
        cores_per_slot=settings.selection.cores_per_slot,
    )


def _selection(cluster: apps_pb2.ClusterSettings) -> Selection:
    return Selection(
        scheduler=cluster.scheduler,
        workers=dict(sorted(cluster.workers.items())),
        cores_per_slot=cluster.cores_per_slot,
    )
