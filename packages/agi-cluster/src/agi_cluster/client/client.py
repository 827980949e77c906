"""The asynchronous client, over ``grpc.aio``.

It has every method of the protocols in `agi_cluster.model.services`, so what is written against
these runs with it as it does inside the daemon.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import grpc
import grpc.aio

from agi_cluster.client.autostart import ensure_daemon
from agi_cluster.client.call import Call, Stream, Watch, as_method
from agi_cluster.client.calls import (
    apps,
    benchmarks,
    daemon,
    doctor,
    hosts,
    installations,
    modes,
    pipeline_runs,
    pipelines,
    plans,
    releases,
    runs,
    snippets,
)
from agi_cluster.client.channel import OPTIONS
from agi_cluster.client.connection import Connection
from agi_cluster.client.following import Following
from agi_cluster.client.patience import Patience
from agi_cluster.wire.errors import may_try_again

P = ParamSpec("P")
Value = TypeVar("Value")


def _unary(
    build: Callable[P, Call[Value]],
) -> Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, Value]]:
    @as_method(build, "{}")
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> Value:
        return await self.send(build(*args, **kwargs))

    return method


def _stream(
    build: Callable[P, Stream[Value]],
) -> Callable[Concatenate[AsyncClient, P], AsyncGenerator[Value, None]]:
    @as_method(build, "AsyncGenerator[{}, None]")
    def method(
        self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[Value, None]:
        return self.read(build(*args, **kwargs))

    return method


def _watch(
    build: Callable[P, Watch[Value]],
) -> Callable[Concatenate[AsyncClient, P], AsyncGenerator[tuple[Value, int], None]]:
    @as_method(build, "AsyncGenerator[tuple[{}, int], None]")
    def method(
        self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[tuple[Value, int], None]:
        return self.follow(build(*args, **kwargs))

    return method


class AsyncClient(Connection[grpc.aio.Channel]):
    """A client of one daemon, for one event loop.

    As a context manager it starts the daemon of the default address where nobody serves, and
    closes its connection at the end. Every method raises errors of `agi_env.errors` only.

    Args:
        address: Where the daemon serves, such as ``unix:/path`` or ``ssh://user@manager``; by
            default what ``AGI_ADDRESS`` says, else the socket of this user's state directory.
        start_daemon: Whether a daemon of the default address may be started.
        deadlines: How long calls may take, and how long to wait for a daemon that is away.
    """

    list_apps = _unary(apps.list_apps)
    get_app = _unary(apps.get_app)
    register_app = _unary(apps.register_app)
    create_app = _unary(apps.create_app)
    get_settings = _unary(apps.get_settings)
    update_settings = _unary(apps.update_settings)
    reset_settings = _unary(apps.reset_settings)

    create_installation = _unary(installations.create_installation)
    get_installation = _unary(installations.get_installation)
    list_installations = _unary(installations.list_installations)
    watch_installation = _watch(installations.watch_installation)

    list_releases = _unary(releases.list_releases)
    prune_releases = _unary(releases.prune_releases)

    create_plan = _unary(plans.create_plan)
    get_plan = _unary(plans.get_plan)
    list_plans = _unary(plans.list_plans)
    list_plan_partitions = _unary(plans.list_plan_partitions)
    edit_plan = _unary(plans.edit_plan)
    list_plan_revisions = _unary(plans.list_plan_revisions)
    diff_plans = _unary(plans.diff_plans)
    lint_plan = _unary(plans.lint_plan)

    start_run = _unary(runs.start_run)
    get_run = _unary(runs.get_run)
    list_runs = _unary(runs.list_runs)
    list_run_partitions = _unary(runs.list_run_partitions)
    watch_run = _watch(runs.watch_run)
    cancel_run = _unary(runs.cancel_run)
    retry_run = _unary(runs.retry_run)
    read_run_log = _stream(runs.read_run_log)
    prune_runs = _unary(runs.prune_runs)

    render_snippet = _unary(snippets.render_snippet)
    verify_snippet = _unary(snippets.verify_snippet)

    get_pipeline = _unary(pipelines.get_pipeline)
    add_pipeline_step = _unary(pipelines.add_pipeline_step)
    refresh_pipeline_steps = _unary(pipelines.refresh_pipeline_steps)
    remove_pipeline_step = _unary(pipelines.remove_pipeline_step)
    move_pipeline_step = _unary(pipelines.move_pipeline_step)

    start_pipeline_run = _unary(pipeline_runs.start_pipeline_run)
    rerun_pipeline = _unary(pipeline_runs.rerun_pipeline)
    resume_pipeline_run = _unary(pipeline_runs.resume_pipeline_run)
    retry_pipeline_step = _unary(pipeline_runs.retry_pipeline_step)
    get_pipeline_run = _unary(pipeline_runs.get_pipeline_run)
    list_pipeline_runs = _unary(pipeline_runs.list_pipeline_runs)
    watch_pipeline_run = _watch(pipeline_runs.watch_pipeline_run)
    cancel_pipeline_run = _unary(pipeline_runs.cancel_pipeline_run)
    read_pipeline_run_log = _stream(pipeline_runs.read_pipeline_run_log)

    list_hosts = _unary(hosts.list_hosts)
    get_host = _unary(hosts.get_host)
    create_host = _unary(hosts.create_host)
    trust_host = _unary(hosts.trust_host)
    authorize_host = _unary(hosts.authorize_host)
    check_host = _unary(hosts.check_host)
    drain_host = _unary(hosts.drain_host)
    resume_host = _unary(hosts.resume_host)
    delete_host = _unary(hosts.delete_host)

    diagnose = _stream(doctor.diagnose)

    get_modes = _unary(modes.get_modes)

    create_benchmark = _unary(benchmarks.create_benchmark)
    get_benchmark = _unary(benchmarks.get_benchmark)
    list_benchmarks = _unary(benchmarks.list_benchmarks)
    watch_benchmark = _watch(benchmarks.watch_benchmark)
    cancel_benchmark = _unary(benchmarks.cancel_benchmark)

    get_daemon = _unary(daemon.get_daemon)
    stop_daemon = _unary(daemon.stop_daemon)
    create_backup = _unary(daemon.create_backup)

    async def __aenter__(self) -> Self:
        if self.startable is not None:
            await asyncio.to_thread(ensure_daemon, self.startable)
        await self._reach(self.patience_to_reach())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connection; calls under way end with an error. A later call opens it anew."""
        channel = self.release()
        if channel is not None:
            await channel.close()
        if self.tunnel is not None:
            await asyncio.to_thread(self.tunnel.close)

    async def send(self, call: Call[Value]) -> Value:
        """Make a call, again while nobody answers and its deadline allows."""
        await self._reach(self.patience_to_reach())
        patience = self.patience(call)
        while True:
            try:
                method = self.method(call)
                answer = await method(call.request, timeout=patience.left(), metadata=self.metadata)
                patience.renew()
                return call.parse(answer)
            except grpc.RpcError as error:
                if not may_try_again(error):
                    raise self.error_of(error) from error
                pause = patience.pause_after(self.error_of(error))
            await asyncio.sleep(pause)
            await self._reach(patience)

    async def read(self, stream: Stream[Value]) -> AsyncGenerator[Value, None]:
        """Yield the answers of a stream, asking again only while there was none."""
        await self._reach(self.patience_to_reach())
        patience = self.patience(stream)
        begun = False
        while not begun:
            call = self.method(stream)(stream.request, timeout=patience.left())
            try:
                async for response in call:
                    begun = True
                    patience.renew()
                    yield stream.parse(response)
                return
            except grpc.RpcError as error:
                if begun or not may_try_again(error):
                    raise self.error_of(error) from error
                pause = patience.pause_after(self.error_of(error))
            finally:
                call.cancel()
            await asyncio.sleep(pause)
            await self._reach(patience)

    async def follow(self, watch: Watch[Value]) -> AsyncGenerator[tuple[Value, int], None]:
        """Yield what a watch tells, going on where it was when the stream breaks."""
        patience = self.patience_to_watch()
        following = Following(watch, patience)
        while not following.ended():
            await self._reach(patience)
            call = self.method(watch)(following.request())
            pause = 0.0
            try:
                async for response in call:
                    yield following.take(response)
                if not following.ended():
                    pause = following.pause()
            except grpc.RpcError as error:
                if not may_try_again(error):
                    raise self.error_of(error) from error
                pause = following.pause(self.error_of(error))
            finally:
                call.cancel()
            await asyncio.sleep(pause)

    def connect(self) -> grpc.aio.Channel:
        """A new channel to the address."""
        return grpc.aio.insecure_channel(self.target, options=OPTIONS)

    async def _reach(self, patience: Patience) -> None:
        pause = 0.0 if self.reachable else await asyncio.to_thread(self.reach, patience)
        while pause:
            await asyncio.sleep(pause)
            pause = await asyncio.to_thread(self.reach, patience)
