"""Releases, and what is removed of them."""

from __future__ import annotations

from agi_cluster.api.v1 import releases_pb2 as pb
from agi_cluster.model.release import (
    DEFAULT_KEEP,
    DEFAULT_UNUSED_DAYS,
    HostPruning,
    PrunedItem,
    PrunedKind,
    PruneReleases,
    Release,
    ReleasePruning,
)
from agi_cluster.wire.errors import error_from_wire, error_to_wire
from agi_cluster.wire.message import checked
from agi_cluster.wire.name import app_reference, resource_id
from agi_cluster.wire.state import enum_from_wire, enum_to_wire
from agi_cluster.wire.time import time_from_wire, time_to_wire
from agi_env.mode import Mode


def release_to_wire(release: Release) -> pb.Release:
    """The release as a message."""
    return pb.Release(
        name=f"apps/{release.app}/releases/{release.digest}",
        app=f"apps/{release.app}",
        digest=release.digest,
        modes_enabled=int(release.modes_enabled),
        install_time=time_to_wire(release.install_time),
        current=release.current,
        changed_inputs=release.changed_inputs,
    )


def release_from_wire(release: pb.Release) -> Release:
    """The release in a message."""
    return Release(
        app=app_reference(release.app),
        digest=release.digest,
        modes_enabled=Mode.parse(release.modes_enabled),
        install_time=time_from_wire(release.install_time),
        current=release.current,
        changed_inputs=tuple(release.changed_inputs),
    )


def prune_releases_to_wire(
    request: PruneReleases, *, request_id: str, validate_only: bool = False
) -> pb.PruneReleasesRequest:
    """The request as a message."""
    return checked(pb.PruneReleasesRequest)(
        request_id=request_id,
        hosts=request.hosts,
        keep=request.keep,
        unused_days=request.unused_days,
        validate_only=validate_only,
    )


def prune_releases_from_wire(request: pb.PruneReleasesRequest) -> PruneReleases:
    """The request in a message."""
    days = request.unused_days if request.HasField("unused_days") else DEFAULT_UNUSED_DAYS
    return PruneReleases(
        hosts=tuple(request.hosts),
        keep=request.keep if request.HasField("keep") else DEFAULT_KEEP,
        unused_days=days,
    )


def release_pruning_to_wire(pruning: ReleasePruning) -> pb.ReleasePruning:
    """What was removed, as a message."""
    return pb.ReleasePruning(
        name=f"prunings/{pruning.id}", hosts=[_host_to_wire(host) for host in pruning.hosts]
    )


def release_pruning_from_wire(pruning: pb.ReleasePruning) -> ReleasePruning:
    """What was removed, in a message."""
    return ReleasePruning(
        id=resource_id("prunings", pruning.name),
        hosts=tuple(_host_from_wire(host) for host in pruning.hosts),
    )


def _host_to_wire(host: HostPruning) -> pb.HostPruning:
    return pb.HostPruning(
        host=host.host,
        removed=[_item_to_wire(item) for item in host.removed],
        kept=[_item_to_wire(item) for item in host.kept],
        error=error_to_wire(host.error),
    )


def _host_from_wire(host: pb.HostPruning) -> HostPruning:
    return HostPruning(
        host=host.host,
        removed=tuple(_item_from_wire(item) for item in host.removed),
        kept=tuple(_item_from_wire(item) for item in host.kept),
        error=error_from_wire(host.error),
    )


def _item_to_wire(item: PrunedItem) -> pb.PrunedItem:
    return pb.PrunedItem(
        kind=enum_to_wire(pb.PrunedItem.Kind, item.kind),
        item=item.item,
        size_bytes=item.size_bytes,
        detail=item.detail,
    )


def _item_from_wire(item: pb.PrunedItem) -> PrunedItem:
    return PrunedItem(
        kind=enum_from_wire(PrunedKind, pb.PrunedItem.Kind, item.kind),
        item=item.item,
        size_bytes=item.size_bytes,
        detail=item.detail,
    )
