"""Surrounding the handlers of a server: one class per concern, each method wrapped once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

Context = grpc.aio.ServicerContext[Any, Any]
Behaviour = Callable[[Any, Context], Awaitable[Any]]
"""What answers a call: returns the answer, or writes the answers of a stream itself."""
Decoder = Callable[[bytes], Any]
Continuation = Callable[
    [grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]
]
"""Finds the handler of a call; None: there is none."""


class Surround(grpc.aio.ServerInterceptor):
    """Wraps the behaviour of every method that takes a single request.

    Calls with a stream of requests (only reflection has one) pass as they are.
    """

    def __init__(self) -> None:
        self._wrapped: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}

    @abstractmethod
    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """The surrounded behaviour of the method with this full name."""

    def decoder(self, decode: Decoder) -> Decoder:
        """What decodes the request; by default what did before."""
        return decode

    async def intercept_service(
        self,
        continuation: Continuation,
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        """Find the handler and return it wrapped."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_streaming:
            return handler
        method = handler_call_details.method
        if method not in self._wrapped:
            self._wrapped[method] = self.surround(method, handler)
        return self._wrapped[method]

    def surround(
        self, method: str, handler: grpc.RpcMethodHandler[Any, Any]
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """The handler with its behaviour and its decoder wrapped."""
        kind = "unary_stream" if handler.response_streaming else "unary_unary"
        make: Any = getattr(grpc, f"{kind}_rpc_method_handler")
        decode = handler.request_deserializer
        wrapped: grpc.RpcMethodHandler[Any, Any] = make(
            self.wrap(method, getattr(handler, kind)),
            request_deserializer=decode and self.decoder(decode),
            response_serializer=handler.response_serializer,
        )
        return wrapped
