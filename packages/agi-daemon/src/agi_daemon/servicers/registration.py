"""Which services a server offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc

from agi_cluster.api.v1 import (
    apps_pb2,
    apps_pb2_grpc,
    daemon_pb2,
    daemon_pb2_grpc,
    doctor_pb2,
    doctor_pb2_grpc,
    hosts_pb2,
    hosts_pb2_grpc,
    installations_pb2,
    installations_pb2_grpc,
    pipeline_runs_pb2,
    pipeline_runs_pb2_grpc,
    pipelines_pb2,
    pipelines_pb2_grpc,
    plans_pb2,
    plans_pb2_grpc,
    releases_pb2,
    releases_pb2_grpc,
    runs_pb2,
    runs_pb2_grpc,
    snippets_pb2,
    snippets_pb2_grpc,
)
from agi_daemon.compose import Services
from agi_daemon.servicers import health, reflection
from agi_daemon.servicers.apps import AppServicer
from agi_daemon.servicers.daemon import DaemonServicer
from agi_daemon.servicers.doctor import DoctorServicer
from agi_daemon.servicers.hosts import HostServicer
from agi_daemon.servicers.installations import InstallationServicer
from agi_daemon.servicers.pipeline_runs import PipelineRunServicer
from agi_daemon.servicers.pipelines import PipelineServicer
from agi_daemon.servicers.plans import PlanServicer
from agi_daemon.servicers.releases import ReleaseServicer
from agi_daemon.servicers.runs import RunServicer
from agi_daemon.servicers.snippets import SnippetServicer


def register(server: grpc.aio.Server, services: Services) -> health.Health:
    """Add our services, health and reflection to a server that has not started.

    Returns:
        The health of the services, which are all serving.
    """
    names = [_add(server, *entry) for entry in _offered(services)]
    board = health.Health(names)
    server.add_generic_rpc_handlers(
        (board.handler(), reflection.Reflection([*names, health.SERVICE]))
    )
    return board


def _offered(services: Services) -> Iterator[tuple[Any, Any, Any]]:
    """Servicer, messages and stubs of each service."""
    yield DaemonServicer(services.daemon), daemon_pb2, daemon_pb2_grpc
    if services.apps is not None:
        yield AppServicer(services.apps), apps_pb2, apps_pb2_grpc
    if services.installations is not None:
        yield (
            InstallationServicer(services.installations),
            installations_pb2,
            installations_pb2_grpc,
        )
    if services.releases is not None:
        yield ReleaseServicer(services.releases), releases_pb2, releases_pb2_grpc
    if services.plans is not None:
        yield PlanServicer(services.plans), plans_pb2, plans_pb2_grpc
    if services.runs is not None:
        yield RunServicer(services.runs), runs_pb2, runs_pb2_grpc
    if services.snippets is not None:
        yield SnippetServicer(services.snippets), snippets_pb2, snippets_pb2_grpc
    if services.pipelines is not None:
        yield PipelineServicer(services.pipelines), pipelines_pb2, pipelines_pb2_grpc
    if services.pipeline_runs is not None:
        yield (
            PipelineRunServicer(services.pipeline_runs),
            pipeline_runs_pb2,
            pipeline_runs_pb2_grpc,
        )
    if services.hosts is not None:
        yield HostServicer(services.hosts), hosts_pb2, hosts_pb2_grpc
    if services.doctor is not None:
        yield DoctorServicer(services.doctor), doctor_pb2, doctor_pb2_grpc


def _add(server: grpc.aio.Server, servicer: Any, messages: Any, stubs: Any) -> str:
    """Add one service; each of our files holds exactly one."""
    (service,) = messages.DESCRIPTOR.services_by_name.values()
    getattr(stubs, f"add_{service.name}Servicer_to_server")(servicer, server)
    name: str = service.full_name
    return name
