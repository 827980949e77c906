"""The streams that are open: told apart from single calls because they end when the daemon does."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, cast

import grpc

from agi_daemon.interceptors.surround import Behaviour, Context, Surround
from agi_env.errors import DaemonError

_END = object()


class OpenStreams(Surround):
    """Writes the answers of every stream, and closes them all when the daemon stops.

    The innermost interceptor: a servicer's asynchronous iterator becomes one coroutine, so that
    whatever surrounds it sees its errors.
    """

    def __init__(self) -> None:
        super().__init__()
        self._waiting: set[asyncio.Task[Any]] = set()
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End the open streams, and each that is begun from now on, with DaemonError."""
        self._closing.set()
        for task in self._waiting:
            task.cancel()

    def surround(
        self, method: str, handler: grpc.RpcMethodHandler[Any, Any]
    ) -> grpc.RpcMethodHandler[Any, Any]:
        """Wrap what returns an iterator; a coroutine writes its answers and ends by itself."""
        behaviour = handler.unary_stream
        if behaviour is None or inspect.iscoroutinefunction(behaviour):
            return handler
        return super().surround(method, handler)

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Write what the iterator yields until it ends or the daemon stops."""
        generate = cast("Callable[[Any, Context], AsyncGenerator[Any, None]]", behaviour)

        async def stream(request: Any, context: Context) -> None:
            async with aclosing(generate(request, context)) as answers:
                while (answer := await self._next(answers)) is not _END:
                    await context.write(answer)

        return stream

    async def _next(self, answers: AsyncGenerator[Any, None]) -> Any:
        # Only here may a stream be cancelled: gRPC cannot send a status after half a write.
        if self._closing.is_set():
            raise _stopping()
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            return await anext(answers, _END)
        except asyncio.CancelledError:
            if not self._closing.is_set():
                raise
            task.uncancel()
            raise _stopping() from None
        finally:
            self._waiting.discard(task)


def _stopping() -> DaemonError:
    return DaemonError("the daemon is stopping", remedy="Runs go on; watch again once it is back")
