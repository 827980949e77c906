"""The synchronous client, over gRPC's synchronous stubs.

It runs no event loop, so it also works inside one that is running, as in a notebook or another
tool's callback. It may be used from several threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Concatenate, ParamSpec, Self, TypeVar

import grpc

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


def _unary(build: Callable[P, Call[Value]]) -> Callable[Concatenate[Client, P], Value]:
    @as_method(build, "{}")
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Value:
        return self.send(build(*args, **kwargs))

    return method


def _stream(
    build: Callable[P, Stream[Value]],
) -> Callable[Concatenate[Client, P], Generator[Value, None, None]]:
    @as_method(build, "Generator[{}, None, None]")
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> Generator[Value, None, None]:
        return self.read(build(*args, **kwargs))

    return method


def _watch(
    build: Callable[P, Watch[Value]],
) -> Callable[Concatenate[Client, P], Generator[tuple[Value, int], None, None]]:
    @as_method(build, "Generator[tuple[{}, int], None, None]")
    def method(
        self: Client, /, *args: P.args, **kwargs: P.kwargs
    ) -> Generator[tuple[Value, int], None, None]:
        return self.follow(build(*args, **kwargs))

    return method


class Client(Connection[grpc.Channel]):
    """A client of one daemon; the methods are those of `AsyncClient`, without ``await``.

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

    def __enter__(self) -> Self:
        if self.startable is not None:
            ensure_daemon(self.startable)
        self._reach(self.patience_to_reach())
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls under way end with an error. A later call opens it anew."""
        channel = self.release()
        if channel is not None:
            channel.close()
        if self.tunnel is not None:
            self.tunnel.close()

    def send(self, call: Call[Value]) -> Value:
        """Make a call, again while nobody answers and its deadline allows."""
        self._reach(self.patience_to_reach())
        patience = self.patience(call)
        while True:
            try:
                method = self.method(call)
                answer = method(call.request, timeout=patience.left(), metadata=self.metadata)
                patience.renew()
                return call.parse(answer)
            except grpc.RpcError as error:
                if not may_try_again(error):
                    raise self.error_of(error) from error
                pause = patience.pause_after(self.error_of(error))
            time.sleep(pause)
            self._reach(patience)

    def read(self, stream: Stream[Value]) -> Generator[Value, None, None]:
        """Yield the answers of a stream, asking again only while there was none."""
        self._reach(self.patience_to_reach())
        patience = self.patience(stream)
        begun = False
        while not begun:
            call = self.method(stream)(stream.request, timeout=patience.left())
            try:
                for response in call:
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
            time.sleep(pause)
            self._reach(patience)

    def follow(self, watch: Watch[Value]) -> Generator[tuple[Value, int], None, None]:
        """Yield what a watch tells, going on where it was when the stream breaks."""
        patience = self.patience_to_watch()
        following = Following(watch, patience)
        while not following.ended():
            self._reach(patience)
            call = self.method(watch)(following.request())
            pause = 0.0
            try:
                for response in call:
                    yield following.take(response)
                if not following.ended():
                    pause = following.pause()
            except grpc.RpcError as error:
                if not may_try_again(error):
                    raise self.error_of(error) from error
                pause = following.pause(self.error_of(error))
            finally:
                call.cancel()
            time.sleep(pause)

    def connect(self) -> grpc.Channel:
        """A new channel to the address."""
        return grpc.insecure_channel(self.target, options=OPTIONS)

    def _reach(self, patience: Patience) -> None:
        pause = 0.0 if self.reachable else self.reach(patience)
        while pause:
            time.sleep(pause)
            pause = self.reach(patience)
