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


class OpenStreams(Surround):
    """Writes the answers of every stream, and closes them all when the daemon stops.

    The innermost interceptor: a servicer's asynchronous iterator becomes one coroutine, so that
    whatever surrounds it sees its errors.
    """

    def __init__(self) -> None:
        super().__init__()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closing = False

    def close(self) -> None:
        """End the open streams, and each that is begun from now on, with DaemonError."""
        self._closing = True
        for task in self._tasks:
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
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                if self._closing:
                    raise _stopping()
                await _write(generate(request, context), context)
            except asyncio.CancelledError:
                if not self._closing:
                    raise
                task.uncancel()
                raise _stopping() from None
            finally:
                self._tasks.discard(task)

        return stream


async def _write(answers: AsyncGenerator[Any, None], context: Context) -> None:
    async with aclosing(answers) as open_answers:
        async for answer in open_answers:
            await context.write(answer)


def _stopping() -> DaemonError:
    return DaemonError("the daemon is stopping", remedy="Runs go on; watch again once it is back")
