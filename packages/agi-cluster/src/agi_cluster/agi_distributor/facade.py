"""``AGI``: the three things that a person does with an app, each an honest call of the daemon."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from agi_cluster import client as clients
from agi_cluster.agi_distributor.benchmark import BenchmarkResult
from agi_cluster.agi_distributor.distribution import Distribution
from agi_cluster.agi_distributor.installed import Installed
from agi_cluster.agi_distributor.progress import Progress
from agi_cluster.agi_distributor.request import (
    SETTINGS_MODE,
    RunRequest,
    SettingsMode,
    asked_modes,
    chosen_hosts,
    chosen_mode,
    chosen_stale_plan,
    combined,
    plain_args,
    refuse_beside,
    refuse_slips,
    snippet_origin,
)
from agi_cluster.agi_distributor.result import RunResult
from agi_cluster.model.benchmark import BenchmarkState
from agi_cluster.model.installation import InstallationState
from agi_cluster.model.page import Page
from agi_cluster.model.requests import (
    CreateBenchmark,
    CreateInstallation,
    CreatePlan,
    StalePlan,
    StartRun,
)
from agi_cluster.model.run import RunState, SnippetOrigin
from agi_env.verbosity import Verbosity

if TYPE_CHECKING:
    from agi_env.environment import AgiEnv

Item = TypeVar("Item")


class AGI:
    """Install, distribute and run an app; it holds no state, so calls cannot meet.

    What is not given comes from the app's settings. Wrong modes and slot counts are refused
    before anybody is asked; the daemon is started where it does not run. All errors are those of
    `agi_env.errors`.
    """

    @staticmethod
    async def install(
        app_env: AgiEnv,
        scheduler: str | None = None,
        workers: Mapping[str, int] | None = None,
        modes_enabled: int | None = None,
        verbose: int | None = None,
        *,
        upgrade: bool = False,
        **args: Any,
    ) -> Installed:
        """Install the app's current sources on the hosts, and return when that is done.

        Args:
            app_env: The app.
            scheduler: Where the scheduler runs, ``host`` or ``host:port``.
            workers: How many worker slots on each host, 1 or more each.
            modes_enabled: The capabilities to stage, a sum of the mode bits.
            verbose: How much to log, 0 to 3; by default as in ``app_env``.
            upgrade: Resolve the dependencies anew.
            args: Taken so that the calls of the facade look alike; an install does not depend on
                the app's arguments.

        Raises:
            AgiError: What was asked is wrong, or the installation failed; in the latter case the
                metadata names the ``installation``.
        """
        refuse_slips(args)
        request = CreateInstallation(
            app=clients.Address.here().reference(app_env),
            selection=chosen_hosts(scheduler, workers),
            modes_enabled=chosen_mode(modes_enabled),
            upgrade=upgrade,
        )
        level = Verbosity.parse(app_env.verbose if verbose is None else verbose)
        async with clients.AsyncClient() as client:
            started = await client.create_installation(request)
            updates = client.watch_installation(started.id)
            progress = Progress(f"installations/{started.id}", level)
            client.away = progress.away
            last = await progress.follow(updates, started)
        installed = Installed.of(last)
        if last.state is not InstallationState.SUCCEEDED:
            raise installed.failure(last.error)
        return installed

    @staticmethod
    async def get_distrib(
        app_env: AgiEnv,
        scheduler: str | None = None,
        workers: Mapping[str, int] | None = None,
        mode: int | None = None,
        *,
        plan: str | None = None,
        **args: Any,
    ) -> Distribution:
        """Have the app name its partitions, place them on the slots, and return the plan.

        Args:
            app_env: The app.
            scheduler: Where the scheduler runs, ``host`` or ``host:port``.
            workers: How many worker slots on each host, 1 or more each.
            mode: The mode that the plan is for.
            plan: A plan that is there already, as ``plans/ID@REVISION``, to look at instead of a
                new one; it is returned as it is, whatever else is given.
            args: Arguments of the app; they replace those of the settings key by key.
        """
        refuse_slips(args)
        request = CreatePlan(
            app=clients.Address.here().reference(app_env),
            selection=chosen_hosts(scheduler, workers),
            mode=chosen_mode(mode),
            args=plain_args(args),
        )
        async with clients.AsyncClient() as client:
            found = await (client.get_plan(plan) if plan else client.create_plan(request))
            partitions = await _all(client.list_plan_partitions, found.name)
        return Distribution(plan=found, partitions=partitions)

    @overload
    @staticmethod
    async def run(
        app_env: AgiEnv,
        scheduler: str | None = None,
        workers: Mapping[str, int] | None = None,
        mode: int | SettingsMode = SETTINGS_MODE,
        *,
        plan: Distribution | str | None = None,
        stale_plan: StalePlan | str | None = None,
        request: RunRequest | None = None,
        snippet: SnippetOrigin | str | None = None,
        **args: Any,
    ) -> RunResult: ...

    @overload
    @staticmethod
    async def run(
        app_env: AgiEnv,
        scheduler: str | None = None,
        workers: Mapping[str, int] | None = None,
        *,
        mode: Sequence[int] | None,
        **args: Any,
    ) -> BenchmarkResult: ...

    @staticmethod
    async def run(
        app_env: AgiEnv,
        scheduler: str | None = None,
        workers: Mapping[str, int] | None = None,
        mode: int | Sequence[int] | SettingsMode | None = SETTINGS_MODE,
        *,
        plan: Distribution | str | None = None,
        stale_plan: StalePlan | str | None = None,
        request: RunRequest | None = None,
        snippet: SnippetOrigin | str | None = None,
        **args: Any,
    ) -> RunResult | BenchmarkResult:
        """Run the app, and return its result when the run has succeeded.

        A caller that is cancelled stops watching; the run goes on and `agi runs watch` shows it.

        Args:
            app_env: The app; its ``verbose`` says how much is logged.
            scheduler: Where the scheduler runs, ``host`` or ``host:port``.
            workers: How many worker slots on each host, 1 or more each.
            mode: The mode to run in, a sum of the mode bits; left out: that of the settings. A list
                of modes, or None for all that can be run, asks for a benchmark: the app runs in
                each several times, and the answer is a `BenchmarkResult`.
            plan: The plan to execute, from ``get_distrib`` or as ``plans/ID@REVISION``; by
                default a new one. What the call leaves open is then as it was for the plan.
            stale_plan: What to do where something has changed since the plan was made:
                ``"proceed"`` executes it as it was made, ``"rebase"`` a new plan with its pins
                and moves. By default it is refused with what has changed.
            request: Mode, hosts and arguments in one value, instead of beside each other.
            snippet: What the calling snippet was rendered from, or its digest of the settings.
            args: Arguments of the app; they replace those of the settings key by key.

        Raises:
            AgiError: What was asked is wrong; or the run failed or was cancelled: then it is the
                run's own error, its metadata name the ``run``, and its notes show the result.
        """
        if snippet is None:  # it passes all that its settings said
            refuse_slips(args)
        several = asked_modes(mode)
        if several is not None:
            refuse_beside(
                several, plan=plan, stale_plan=stale_plan, request=request, snippet=snippet
            )
            benchmark = CreateBenchmark(
                app=clients.Address.here().reference(app_env),
                modes=several,
                selection=chosen_hosts(scheduler, workers),
                args=plain_args(args),
            )
            return await _benchmark(benchmark, app_env.verbose)
        one = None if isinstance(mode, SettingsMode) else cast(int, mode)
        asked = combined(request, mode=one, scheduler=scheduler, workers=workers, args=args)
        start = StartRun(
            app=clients.Address.here().reference(app_env),
            mode=chosen_mode(asked.mode),
            selection=chosen_hosts(asked.scheduler, asked.workers),
            args=plain_args(asked.args),
            plan=plan.name if isinstance(plan, Distribution) else plan or "",
            stale_plan=chosen_stale_plan(stale_plan),
            snippet=snippet_origin(snippet),
            verbose=app_env.verbose,
        )
        result = await _run(start, app_env.verbose)
        if result.state is not RunState.SUCCEEDED:
            raise result.failure()
        return result


async def _run(start: StartRun, verbose: int) -> RunResult:
    async with clients.AsyncClient() as client:
        started = await client.start_run(start)
        updates = client.watch_run(started.id, verbose=verbose)
        progress = Progress(f"runs/{started.id}", verbose)
        client.away = progress.away
        async with AsyncExitStack() as stack:
            if verbose >= Verbosity.OUTPUT:
                from agi_cluster.agi_distributor.printed import printed  # noqa: PLC0415 - asyncio

                pieces = client.read_run_log(started.id, follow=True)
                saying = printed(pieces, partial(progress.say, Verbosity.OUTPUT))
                await stack.enter_async_context(saying)
            run = await progress.follow(updates, started)
        return RunResult.of(run, await _all(client.list_run_partitions, run.id))


async def _benchmark(request: CreateBenchmark, verbose: int) -> BenchmarkResult:
    async with clients.AsyncClient() as client:
        started = await client.create_benchmark(request)
        updates = client.watch_benchmark(started.id)
        progress = Progress(f"benchmarks/{started.id}", verbose)
        client.away = progress.away
        last = await progress.follow(updates, started)
    result = BenchmarkResult.of(last)
    if last.state is not BenchmarkState.SUCCEEDED:
        raise result.failure()
    return result


async def _all(fetch: Callable[..., Awaitable[Page[Item]]], parent: str) -> tuple[Item, ...]:
    """Every item of a list that comes in pages."""
    items: list[Item] = []
    token = ""
    while True:
        page = await fetch(parent, page_token=token)
        items.extend(page.items)
        token = page.next_page_token
        if not token:
            return tuple(items)
