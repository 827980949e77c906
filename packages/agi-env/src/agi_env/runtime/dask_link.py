"""The runner's side of Dask: the scheduler that workers connect to, and the client that uses it.

Both live in the runner's event loop. Dask carries texts here: tasks down to one worker each, and
words both ways. Who is to do what, and what is to be done again, is none of its business.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import distributed
from distributed.comm.addressing import get_address_host_port, unparse_host_port
from distributed.diagnostics.plugin import SchedulerPlugin

from agi_env.errors import RefusedError
from agi_env.runtime.cluster_keys import ClusterKeys, KeyFiles
from agi_env.runtime.cluster_spec import ClusterSpec
from agi_env.runtime.dask_security import security
from agi_env.runtime.dask_task import WORD, carry
from agi_env.runtime.frames import Message
from agi_env.runtime.own_address import in_url, listening_at
from agi_env.runtime.port_range import PortRange

CLOSE_S = 2.0
HEARTBEAT_S = 5.0
"""Seconds between the figures that a worker sends; whether it lives, its lease tells."""
_LOOPBACK = "127.0.0.1"

OnWord = Callable[[str, Message], None]
"""Gets a worker's address and what it said."""
OnGone = Callable[[str, str], None]
"""Gets the address of a worker that is no longer connected, and why."""


class DaskLink:
    """A scheduler and its client.

    Attributes:
        address: Where workers find the scheduler.
        dashboard: Where Dask's dashboard is; empty when it was not asked for or cannot be had.
    """

    def __init__(self, cluster: ClusterSpec, keys: ClusterKeys) -> None:
        """Prepare; nothing listens yet.

        Args:
            cluster: How runner and workers meet.
            keys: The run's keys.
        """
        self.address = ""
        self.dashboard = ""
        self._cluster = cluster
        self._files = KeyFiles(keys)
        self._futures: dict[str, tuple[str, distributed.Future[None]]] = {}

    async def open(self, on_word: OnWord, on_gone: OnGone) -> None:
        """Listen, and begin to tell what workers say.

        Raises:
            RefusedError: No port of the range is free.
        """
        self._on_gone = on_gone
        self._scheduler = await self._listening()
        self._scheduler.stream_handlers[WORD] = lambda worker, text: on_word(
            worker, json.loads(text)
        )
        self._scheduler.add_plugin(_Watcher(self._lost, self._settled), name="agi")
        _, port = get_address_host_port(str(self._scheduler.address))
        self.address = f"tls://{unparse_host_port(self._cluster.scheduler_host, port)}"
        self._client = await distributed.Client(
            self._scheduler.listeners[1].contact_address,
            asynchronous=True,
            security=self._scheduler.security,
            set_as_default=False,
        )

    def tell(self, worker: str, message: Message) -> None:
        """Send a message to a worker, in order; to one that is gone, nothing happens."""
        if worker in self._scheduler.stream_comms:
            text = json.dumps(message, allow_nan=False)
            self._scheduler.worker_send(worker, {"op": WORD, "text": text})

    def hand(self, worker: str, key: str, text: str) -> None:
        """Give a task to this worker and to no other; when it is gone, nothing happens.

        Args:
            worker: The worker's address.
            key: The task's name, used once.
            text: What ``carry`` gets there.
        """
        if worker not in self._scheduler.workers:
            return
        future = self._client.submit(
            carry,
            text,
            key=key,
            workers=[worker],
            allow_other_workers=False,
            retries=0,
            pure=False,
        )
        self._futures[key] = (worker, future)

    async def drop(self, worker: str, reason: str) -> None:
        """Have no connection to a worker any more."""
        self._forget(worker)
        await self._scheduler.remove_worker(worker, stimulus_id=reason, close=True)

    @property
    def workers(self) -> tuple[str, ...]:
        """The addresses of the connected workers."""
        return tuple(self._scheduler.workers)

    async def close(self) -> None:
        """Let go of all workers and stop listening."""
        for _, future in self._futures.values():
            future.release()
        self._futures.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._client.close(timeout=CLOSE_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self._scheduler.close()
        self._files.close()

    async def _listening(self) -> _Scheduler:
        host = listening_at(self._cluster.scheduler_host)
        for port in _free(host, self._cluster.scheduler_ports):
            scheduler = self._made(host, port)
            try:
                await scheduler
            except OSError:  # somebody took it since
                await scheduler.close()
            else:
                return scheduler
        raise RefusedError(
            f"no port of {self._cluster.scheduler_ports} is free for the run's scheduler",
            where=self._cluster.scheduler_host,
            remedy="Give more with AGI_SCHEDULER_PORTS=FIRST-LAST in the daemon's environment",
        )

    def _made(self, host: str, port: int) -> _Scheduler:
        dashboard = ""
        if self._cluster.dashboard_ports:
            free = next(_free(_LOOPBACK, self._cluster.dashboard_ports), None)
            dashboard = f"{_LOOPBACK}:{free}" if free else ""
        # The client is in this process: for it alone there is a way without a socket.
        ways: dict[str, Any] = {
            "host": [in_url(host), None],
            "port": [port, 0],
            "protocol": ["tls", "inproc"],
        }
        scheduler = _Scheduler(
            **ways,
            security=security(self._files),
            dashboard=bool(dashboard),
            dashboard_address=dashboard or None,
        )
        self.dashboard = f"http://{dashboard}/status" if dashboard else ""
        return scheduler

    def _lost(self, worker: str, reason: str) -> None:
        self._forget(worker)
        self._on_gone(worker, reason)

    def _settled(self, key: str, failed: str) -> None:
        held = self._futures.pop(key, None)
        if held is None:
            return
        worker, future = held
        future.release()
        if failed and worker in self._scheduler.workers:
            self._on_gone(worker, failed)

    def _forget(self, worker: str) -> None:
        for key in [key for key, (where, _) in self._futures.items() if where == worker]:
            self._futures.pop(key)[1].release()


class _Scheduler(distributed.Scheduler):
    def heartbeat_worker(self, **facts: Any) -> dict[str, Any]:
        """Take a worker's figures, which are only for show, more rarely than Dask would."""
        answer: dict[str, Any] = super().heartbeat_worker(**facts)
        return {**answer, "heartbeat-interval": HEARTBEAT_S}

    def start_http_server(
        self,
        routes: Any,
        dashboard_address: Any,
        default_port: int = 0,
        ssl_options: Any = None,
    ) -> None:
        """Serve HTTP only when the dashboard was asked for."""
        if dashboard_address:
            super().start_http_server(  # type: ignore[no-untyped-call]
                routes, dashboard_address, default_port, ssl_options
            )


class _Watcher(SchedulerPlugin):
    """Tells which workers went and which tasks ended."""

    name = "agi"

    def __init__(
        self, on_gone: Callable[[str, str], None], on_settled: Callable[[str, str], None]
    ) -> None:
        self._on_gone = on_gone
        self._on_settled = on_settled

    def remove_worker(
        self, scheduler: distributed.Scheduler, worker: str, *, stimulus_id: str, **_: Any
    ) -> None:
        """A worker is no longer connected."""
        self._on_gone(worker, "its connection broke")

    def transition(self, key: Any, start: Any, finish: Any, *_: Any, **facts: Any) -> None:
        """A task changed its state; what follows from it waits until Dask is done with that."""
        if finish == "memory":
            self._later(str(key), "")
        elif finish == "erred":
            self._later(str(key), "a task did not come back")

    def _later(self, key: str, failed: str) -> None:
        asyncio.get_running_loop().call_soon(self._on_settled, key, failed)


def _free(host: str, ports: str) -> Iterator[int]:
    """The ports that nobody listens at, as far as can be told."""
    for port in PortRange.parse(ports):
        with closing(socket.socket(_family(host))) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind((host, port))
                yield port


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
