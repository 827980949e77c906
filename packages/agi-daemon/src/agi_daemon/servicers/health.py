"""The standard health service, ``grpc.health.v1.Health``: Check, List and Watch.

The servicer of grpcio-health-checking has no List, and of two watchers of one service its Watch
forgets one when the other leaves; so only the messages are taken from there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2

from agi_env.errors import DaemonError, NotFoundError

SERVICE = "grpc.health.v1.Health"
OVERALL = ""
"""The name under which the health of the whole daemon is asked for."""

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Health:
    """What each service's health is, and who watches it. All are serving at first."""

    def __init__(self, services: Iterable[str]) -> None:
        self._statuses: dict[str, int] = dict.fromkeys([OVERALL, *services], SERVING)
        self._bells: set[asyncio.Event] = set()
        self._stopped = False

    def set(self, *, serving: bool) -> None:
        """Say of the daemon and all its services whether they can do their work."""
        self._tell(SERVING if serving and not self._stopped else NOT_SERVING)

    def stop(self) -> None:
        """The daemon is stopping: nothing serves any more, and every watch is told and ended."""
        self._stopped = True
        self._tell(NOT_SERVING)

    def handler(self) -> grpc.GenericRpcHandler:
        """What a gRPC server needs to serve this."""
        request, response = health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
        unary, stream = grpc.unary_unary_rpc_method_handler, grpc.unary_stream_rpc_method_handler
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "Check": unary(self._check, request.FromString, response.SerializeToString),
                "List": unary(self._list, None, None),
                "Watch": stream(self._watch, request.FromString, response.SerializeToString),
            },
        )

    def _tell(self, status: int) -> None:
        self._statuses = dict.fromkeys(self._statuses, status)
        for bell in self._bells:
            bell.set()

    async def _check(self, request: Any, context: Any) -> Any:
        if request.service not in self._statuses:
            raise NotFoundError(f"no service {request.service!r} is served", where=SERVICE)
        return health_pb2.HealthCheckResponse(status=self._statuses[request.service])

    async def _list(self, request: bytes, context: Any) -> bytes:
        # Its messages may be younger than the library; the request has no fields.
        from agi_daemon.servicers.descriptors import message_class  # noqa: PLC0415

        answer: Any = message_class("grpc.health.v1.HealthListResponse")()
        for service, status in self._statuses.items():
            answer.statuses[service].status = status
        data: bytes = answer.SerializeToString()
        return data

    async def _watch(self, request: Any, context: Any) -> None:
        bell = asyncio.Event()
        self._bells.add(bell)
        told = None
        try:
            while not (self._stopped and told == self._statuses.get(request.service, _UNKNOWN)):
                bell.clear()
                status = self._statuses.get(request.service, _UNKNOWN)
                if status != told:
                    await context.write(health_pb2.HealthCheckResponse(status=status))
                    told = status
                    continue
                await bell.wait()
        finally:
            self._bells.discard(bell)
        raise DaemonError("the daemon is stopping")
