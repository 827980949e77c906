"""Errors: the catalogue's classes here; ``agi.v1.Error`` in resources, ``ErrorInfo`` in calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from agi_cluster.api.v1 import common_pb2
from agi_env.errors import (
    DOMAIN,
    AgiError,
    DaemonError,
    InternalError,
    NoRoomError,
    OutOfTimeError,
    RequestInvalidError,
    error_from,
)

Metadata = tuple[tuple[str, str | bytes], ...]

RETRY_DELAY = Duration(nanos=250_000_000)
"""What callers are advised to wait before they ask a daemon again that is stopping: the next one
serves within about this time. Our own clients look more often, and less and less so."""

_LONGEST_VALUE = 600
_LONGEST_INFO = 2500
"""Bytes. gRPC takes 8 KiB of trailers, in which the message comes twice (once percent-encoded,
at most three times its size) and the details in base64, a third larger."""


def error_to_wire(error: AgiError | None) -> common_pb2.Error | None:
    """The error as it is kept in a resource; None leaves the field unset."""
    if error is None:
        return None
    metadata = {key: _unicode(value) for key, value in error.to_metadata().items()}
    return common_pb2.Error(code=error.code, message=_unicode(str(error)), metadata=metadata)


def error_from_wire(error: common_pb2.Error) -> AgiError | None:
    """The error that a resource holds; None where it holds none."""
    return error_from(error.code, error.metadata) if error.code else None


def to_rpc(error: AgiError) -> tuple[grpc.StatusCode, str, Metadata]:
    """Code, message and trailing metadata with which a servicer ends a call.

    The metadata holds a ``google.rpc.Status`` with exactly one ``ErrorInfo``, and a ``RetryInfo``
    where the same call may succeed when it is made again. Facts that are too long for HTTP/2
    trailers are shortened, ``what`` and ``remedy`` last.
    """
    code, message = grpc.StatusCode[error.status], _shortened(str(error), _LONGEST_VALUE)
    info = ErrorInfo(reason=error.code, domain=DOMAIN, metadata=_bounded(error.to_metadata()))
    details = [_packed(info)]
    if code is grpc.StatusCode.UNAVAILABLE:
        details.append(_packed(RetryInfo(retry_delay=RETRY_DELAY)))
    status = rpc_status.to_status(Status(code=code.value[0], message=message, details=details))
    return status.code, status.details, tuple(status.trailing_metadata)


def from_rpc(error: Any) -> AgiError:
    """The catalogue's error for a failed call, ``grpc.RpcError`` or ``grpc.aio.AioRpcError``.

    A failure that never reached the daemon's code has no ``ErrorInfo`` and is told by its status.
    """
    info = _info(error)
    if info is not None:
        return error_from(info.reason, info.metadata)
    return _by_status(error.code(), error.details() or "")


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def may_try_again(error: Any) -> bool:
    """Whether a call failed only because nobody answered at the address just now."""
    return bool(error.code() is grpc.StatusCode.UNAVAILABLE)


def _info(error: Any) -> ErrorInfo | None:
    status = rpc_status.from_call(error)
    for detail in status.details if status is not None else ():
        info = ErrorInfo()
        if detail.Unpack(info) and info.domain == DOMAIN:
            return info
    return None


def _by_status(code: grpc.StatusCode, details: str) -> AgiError:
    facts = {"grpc_status": code.name, "details": details}
    if code in _WITHOUT_INFO:
        kind, what, remedy = _WITHOUT_INFO[code]
        return error_from(kind.code, {**facts, "what": what or details, "remedy": remedy})
    return InternalError(f"the call ended {code.name}: {details}", metadata=facts)


_WITHOUT_INFO: dict[grpc.StatusCode, tuple[type[AgiError], str, str]] = {
    grpc.StatusCode.UNAVAILABLE: (DaemonError, "the daemon cannot be reached", ""),
    grpc.StatusCode.CANCELLED: (DaemonError, "the connection was closed during the call", ""),
    grpc.StatusCode.UNIMPLEMENTED: (
        DaemonError,
        "the daemon does not know this call",
        "Restart it with `agi daemon stop`: it may be of an older version",
    ),
    grpc.StatusCode.DEADLINE_EXCEEDED: (
        OutOfTimeError,
        "the daemon did not answer in time",
        "",
    ),
    grpc.StatusCode.RESOURCE_EXHAUSTED: (NoRoomError, "", ""),
    grpc.StatusCode.INVALID_ARGUMENT: (RequestInvalidError, "", ""),
}
"""Class, what is wrong (empty: the details), what to do (empty: the catalogue's advice)."""


def _bounded(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata, shortened to `_LONGEST_INFO`; what a person needs most gets its room first."""
    first = ("what", "remedy", "where")
    room, bounded = _LONGEST_INFO, {}
    for key in (*first, *(key for key in metadata if key not in first)):
        value = _shortened(metadata[key], min(_LONGEST_VALUE, max(room, 0)))
        if value or key in first:
            bounded[key] = value
            room -= len(key.encode()) + len(value.encode())
    return bounded


def _shortened(text: str, limit: int) -> str:
    data = _unicode(text).encode()
    if len(data) <= limit:
        return data.decode()
    return data[: max(limit - 3, 0)].decode(errors="ignore") + "…" if limit >= 3 else ""


def _unicode(text: str) -> str:
    """The text with what no UTF-8 can say, such as bytes of a file name, replaced by ``?``."""
    return text.encode(errors="replace").decode()
