"""Every failure of a call becomes exactly one error of the catalogue."""

from __future__ import annotations

import errno
import sqlite3
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from agi_cluster.wire.errors import to_rpc
from agi_daemon.defects import defect, sole_cause
from agi_daemon.interceptors.surround import (
    Behaviour,
    Context,
    Continuation,
    Decoder,
    Surround,
)
from agi_env.errors import (
    AgiError,
    DiskFullError,
    InternalError,
    MethodUnknownError,
    RequestInvalidError,
)

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class _Undecodable:
    """Stands for a request whose bytes are none of its message."""


class ErrorTranslation(Surround):
    """Sends what a behaviour raised as a rich status; cancellation passes."""

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Catch what the behaviour raises and abort the call with it."""

        async def call(request: Any, context: Context) -> Any:
            try:
                if isinstance(request, _Undecodable):
                    raise RequestInvalidError("the request cannot be decoded", where=method)
                return await behaviour(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001  the boundary: logged here, told to the caller
                await context.abort(*to_rpc(explained(error, method)))

        return call

    async def intercept_service(
        self,
        continuation: Continuation,
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Wrap the handler; where there is none, answer with an error of the catalogue as well."""
        handler = await super().intercept_service(continuation, handler_call_details)
        return handler or _unknown(handler_call_details.method)

    def decoder(self, decode: Decoder) -> Decoder:
        """Let requests that cannot be decoded reach the behaviour, which has an answer for them."""

        def decoded(data: bytes) -> Any:
            try:
                return decode(data)
            except DecodeError:
                return _Undecodable()

        return decoded


def _unknown(method: str) -> grpc.RpcMethodHandler[Any, Any]:
    async def refuse(requests: Any, context: Context) -> None:
        await context.abort(*to_rpc(MethodUnknownError("there is no such method", where=method)))

    handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(refuse)
    return handler


def explained(error: Exception, method: str) -> AgiError:
    """The catalogue's error for what was raised; a defect is logged under an incident id."""
    error = sole_cause(error)
    if isinstance(error, AgiError) and not isinstance(error, InternalError):
        return error
    if _is_disk_full(error):
        return DiskFullError(f"no space is left on the device ({error})", where=method)
    return defect(error, method)


def _is_disk_full(error: Exception) -> bool:
    if isinstance(error, sqlite3.OperationalError):
        return "full" in str(error)
    return isinstance(error, OSError) and error.errno in _NO_ROOM
