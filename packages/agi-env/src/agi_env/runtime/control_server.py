"""The runner's side of the control socket."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from agi_env.errors import AgiError, InternalError
from agi_env.runtime import control

IDLE_S = 60.0
"""Seconds that a connection may stay silent."""

_log = logging.getLogger(__name__)


class ControlServer:
    """Listens while its context is open and owns the task of every connection."""

    def __init__(self, run_dir: Path, handler: control.Handler) -> None:
        self._run_dir = run_dir
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> ControlServer:
        self._server = await asyncio.start_unix_server(
            self._connected, sock=_listening(self._run_dir), limit=control.MAX_LINE_BYTES
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        control.remove_socket(self._run_dir)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await asyncio.wait_for(reader.readline(), IDLE_S):
                answer = await self._answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await asyncio.wait_for(writer.drain(), IDLE_S)
        except (TimeoutError, OSError, ValueError) as error:
            # A caller that hangs up, falls silent or sends too long a line concerns nobody else.
            _log.info("control connection ended: %s", error)
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Mapping[str, Any]:
        try:
            return await self._handler(control.parse_command(line))
        except AgiError as error:
            return control.error_answer(error)
        except Exception as error:  # noqa: BLE001 - the boundary: logged, and the caller is told
            _log.exception("a control command failed")
            return control.error_answer(InternalError(f"a control command failed: {error!r}"))


def _listening(run_dir: Path) -> socket.socket:
    with ExitStack() as undo, control.socket_path(run_dir) as path:
        listener = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        draft = Path(f"{path}.new")
        draft.unlink(missing_ok=True)
        listener.bind(str(draft))
        draft.chmod(0o600)
        listener.listen()
        listener.setblocking(False)
        # The name appears when the socket listens: callers wait for the name.
        draft.replace(path)
        undo.pop_all()
        return listener
