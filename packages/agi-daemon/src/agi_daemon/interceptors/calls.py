"""One line in the log for each call: its method, how it ended and how long it took."""

from __future__ import annotations

import time
from typing import Any

import grpc

from agi_daemon.interceptors.surround import Behaviour, Context, Surround
from agi_daemon.log import get_log

_log = get_log(__name__)
_READS = ("Get", "List", "Check")


class CallLog(Surround):
    """Logs calls: reads that succeed as debug, all others as info. The outermost interceptor."""

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Time the behaviour and log its end."""
        is_read = method.rpartition("/")[2].startswith(_READS)

        async def call(request: Any, context: Context) -> Any:
            start, ended = time.perf_counter(), "CANCELLED"
            try:
                answer = await behaviour(request, context)
                ended = "OK"
            except grpc.aio.AbortError:
                ended = _name(context.code())
                raise
            finally:
                write = _log.debug if is_read and ended == "OK" else _log.info
                seconds = time.perf_counter() - start
                write("call", method=method, code=ended, ms=round(seconds * 1000, 2))
            return answer

        return call


def _name(code: object) -> str:
    return code.name if isinstance(code, grpc.StatusCode) else str(code)
