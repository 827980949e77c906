"""The standard reflection service: what the daemon serves, for callers without the proto files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

SERVICE = "grpc.reflection.v1alpha.ServerReflection"
_METHOD = f"/{SERVICE}/ServerReflectionInfo"


class Reflection(grpc.GenericRpcHandler):
    """Tells what services look like. What it needs is loaded when the first caller asks.

    Args:
        services: The full names of the services, without reflection itself.
    """

    def __init__(self, services: Sequence[str]) -> None:
        self._services = [*services, SERVICE]
        self._handler: grpc.RpcMethodHandler[Any, Any] | None = None

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of reflection's one method."""
        if handler_call_details.method != _METHOD:
            return None
        if self._handler is None:
            self._handler = self._load()
        return self._handler

    def _load(self) -> grpc.RpcMethodHandler[Any, Any]:
        from grpc_reflection.v1alpha import reflection_pb2  # noqa: PLC0415
        from grpc_reflection.v1alpha.reflection import aio  # noqa: PLC0415

        from agi_daemon.servicers.descriptors import served_files  # noqa: PLC0415

        servicer = aio.ReflectionServicer(self._services, pool=served_files())
        handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            reflection_pb2.ServerReflectionRequest.FromString,
            reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        return handler
