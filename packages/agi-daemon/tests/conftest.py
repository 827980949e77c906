"""Fakes of the daemon's core, each a recording implementation of one protocol, and a served one."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest

from agi_cluster.model.app import App, AppSettings, SettingChange
from agi_cluster.model.daemon import Backup, DaemonInfo
from agi_cluster.model.diagnosis import Diagnose, Diagnosis, Rung, Step, StepState
from agi_cluster.model.event import Event
from agi_cluster.model.host import Host
from agi_cluster.model.installation import Installation, InstallationState
from agi_cluster.model.page import Page
from agi_cluster.model.pipeline import Pipeline, PipelineStep
from agi_cluster.model.pipeline_run import PipelineRun, PipelineRunState
from agi_cluster.model.plan import Plan, PlanFinding, PlannedPartition
from agi_cluster.model.plan_diff import PlanDiff
from agi_cluster.model.plan_edit import PlanEdit
from agi_cluster.model.pruning import PrunePolicy, Pruning
from agi_cluster.model.requests import CreateInstallation, CreatePlan, StartRun
from agi_cluster.model.run import PartitionState, Run, RunPartition, RunState
from agi_cluster.model.selection import Selection
from agi_cluster.model.snippet import (
    SNIPPET_API,
    Snippet,
    SnippetFacts,
    SnippetKind,
    SnippetVerdict,
)
from agi_daemon.compose import Services
from agi_daemon.server import Server, grpc_address
from agi_daemon.settings import DaemonSettings
from agi_env.mode import Mode

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
APP = App(name="flights_project", target="flights", path="/apps/flights", settings_path="/s.toml")
RUN = Run(id="r1", app="flights_project", mode=Mode(0), state=RunState.RUNNING, create_time=NOW)
EVENT = Event(sequence=1, time=NOW, kind="accepted")


class Recorder:
    """Remembers how a fake was called, and raises what a test wants raised."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.failure: BaseException | None = None

    def note(self, call: str, *args: Any, **kwargs: Any) -> None:
        self.calls.append((call, args, kwargs))
        if self.failure is not None:
            raise self.failure


class FakeApps(Recorder):
    async def list_apps(self, **kwargs: Any) -> Page[App]:
        self.note("list_apps", **kwargs)
        return Page(items=[APP], next_page_token="more")

    async def get_app(self, app: str) -> App:
        self.note("get_app", app)
        return APP

    async def register_app(self, path: str, **kwargs: Any) -> App:
        self.note("register_app", path, **kwargs)
        return APP

    async def create_app(self, app_id: str, directory: str, **kwargs: Any) -> App:
        self.note("create_app", app_id, directory, **kwargs)
        return APP

    async def get_settings(self, app: str) -> AppSettings:
        self.note("get_settings", app)
        return SETTINGS

    async def update_settings(
        self, app: str, changes: Sequence[SettingChange], **kwargs: Any
    ) -> AppSettings:
        self.note("update_settings", app, list(changes), **kwargs)
        return SETTINGS

    async def reset_settings(self, app: str, **kwargs: Any) -> AppSettings:
        self.note("reset_settings", app, **kwargs)
        return SETTINGS


class FakeInstallations(Recorder):
    async def create_installation(self, request: CreateInstallation, **kwargs: Any) -> Installation:
        self.note("create_installation", request, **kwargs)
        return INSTALLATION

    async def get_installation(self, name: str) -> Installation:
        self.note("get_installation", name)
        return INSTALLATION

    async def list_installations(self, **kwargs: Any) -> Page[Installation]:
        self.note("list_installations", **kwargs)
        return Page(items=[INSTALLATION])

    async def watch_installation(
        self, name: str, **kwargs: Any
    ) -> AsyncIterator[tuple[Installation | Event, int]]:
        self.note("watch_installation", name, **kwargs)
        yield INSTALLATION, 0
        yield EVENT, 1


class FakePlans(Recorder):
    async def create_plan(self, request: CreatePlan, **kwargs: Any) -> Plan:
        self.note("create_plan", request, **kwargs)
        return PLAN

    async def get_plan(self, name: str) -> Plan:
        self.note("get_plan", name)
        return PLAN

    async def list_plans(self, **kwargs: Any) -> Page[Plan]:
        self.note("list_plans", **kwargs)
        return Page(items=[PLAN])

    async def list_plan_partitions(self, parent: str, **kwargs: Any) -> Page[PlannedPartition]:
        self.note("list_plan_partitions", parent, **kwargs)
        return Page(items=[PLANNED])

    async def edit_plan(self, name: str, edits: Sequence[PlanEdit], **kwargs: Any) -> Plan:
        self.note("edit_plan", name, edits, **kwargs)
        return PLAN

    async def list_plan_revisions(self, parent: str, **kwargs: Any) -> Page[Plan]:
        self.note("list_plan_revisions", parent, **kwargs)
        return Page(items=[PLAN])

    async def diff_plans(self, before: str, after: str, **kwargs: Any) -> PlanDiff:
        self.note("diff_plans", before, after, **kwargs)
        return PlanDiff(before=before, after=after)

    async def lint_plan(self, name: str) -> tuple[PlanFinding, ...]:
        self.note("lint_plan", name)
        return (PlanFinding(code="ONE_HOST", message="m", numbers={"hosts": 2}),)


class FakeRuns(Recorder):
    """Its watches last until `finish` is set or their reader leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.finish = asyncio.Event()
        self.left = asyncio.Event()
        self.held = asyncio.Event()
        self.hold = False

    async def start_run(self, request: StartRun, **kwargs: Any) -> Run:
        self.note("start_run", request, **kwargs)
        return RUN

    async def get_run(self, name: str) -> Run:
        self.note("get_run", name)
        if self.hold:
            self.held.set()
            await self.finish.wait()
        return RUN

    async def list_runs(self, **kwargs: Any) -> Page[Run]:
        self.note("list_runs", **kwargs)
        return Page(items=[RUN])

    async def list_run_partitions(self, parent: str, **kwargs: Any) -> Page[RunPartition]:
        self.note("list_run_partitions", parent, **kwargs)
        return Page(items=[RUN_PARTITION])

    async def watch_run(self, name: str, **kwargs: Any) -> AsyncIterator[tuple[Run | Event, int]]:
        try:
            yield RUN, 0
            self.note("watch_run", name, **kwargs)
            yield EVENT, 1
            await self.finish.wait()
            yield RUN, 1
        finally:
            self.left.set()

    async def cancel_run(self, name: str, **kwargs: Any) -> Run:
        self.note("cancel_run", name, **kwargs)
        return RUN

    async def retry_run(self, name: str, **kwargs: Any) -> Run:
        self.note("retry_run", name, **kwargs)
        return RUN

    async def read_run_log(self, name: str, **kwargs: Any) -> AsyncIterator[tuple[str, str]]:
        self.note("read_run_log", name, **kwargs)
        yield "runner.log", "héllo"

    async def prune_runs(self, policy: PrunePolicy, **kwargs: Any) -> Pruning:
        self.note("prune_runs", policy, **kwargs)
        return Pruning(id="x", events=1)


class FakeSnippets(Recorder):
    async def render_snippet(self, app: str, kind: SnippetKind, **kwargs: Any) -> Snippet:
        self.note("render_snippet", app, kind, **kwargs)
        return Snippet(app=APP.name, kind=kind, text="pass\n", api=SNIPPET_API, settings_digest="d")

    async def verify_snippet(self, text: str) -> SnippetVerdict:
        self.note("verify_snippet", text)
        return SnippetVerdict(facts=SnippetFacts(kind=SnippetKind.RUN, app=APP.name))


class FakePipelines(Recorder):
    async def get_pipeline(self, file: str, **kwargs: Any) -> Pipeline:
        self.note("get_pipeline", file, **kwargs)
        return PIPELINE

    async def add_pipeline_step(self, file: str, step: PipelineStep, **kwargs: Any) -> Pipeline:
        self.note("add_pipeline_step", file, step, **kwargs)
        return PIPELINE

    async def refresh_pipeline_steps(self, file: str, **kwargs: Any) -> Pipeline:
        self.note("refresh_pipeline_steps", file, **kwargs)
        return PIPELINE

    async def remove_pipeline_step(self, file: str, step: str, **kwargs: Any) -> Pipeline:
        self.note("remove_pipeline_step", file, step, **kwargs)
        return PIPELINE

    async def move_pipeline_step(
        self, file: str, step: str, position: int, **kwargs: Any
    ) -> Pipeline:
        self.note("move_pipeline_step", file, step, position, **kwargs)
        return PIPELINE


class FakePipelineRuns(Recorder):
    async def start_pipeline_run(self, file: str, **kwargs: Any) -> PipelineRun:
        self.note("start_pipeline_run", file, **kwargs)
        return PIPELINE_RUN

    async def rerun_pipeline(self, name: str, **kwargs: Any) -> PipelineRun:
        self.note("rerun_pipeline", name, **kwargs)
        return PIPELINE_RUN

    async def resume_pipeline_run(self, name: str, **kwargs: Any) -> PipelineRun:
        self.note("resume_pipeline_run", name, **kwargs)
        return PIPELINE_RUN

    async def retry_pipeline_step(self, name: str, step: str, **kwargs: Any) -> PipelineRun:
        self.note("retry_pipeline_step", name, step, **kwargs)
        return PIPELINE_RUN

    async def get_pipeline_run(self, name: str) -> PipelineRun:
        self.note("get_pipeline_run", name)
        return PIPELINE_RUN

    async def list_pipeline_runs(self, **kwargs: Any) -> Page[PipelineRun]:
        self.note("list_pipeline_runs", **kwargs)
        return Page(items=[PIPELINE_RUN])

    async def watch_pipeline_run(
        self, name: str, **kwargs: Any
    ) -> AsyncIterator[tuple[PipelineRun | Event, int]]:
        self.note("watch_pipeline_run", name, **kwargs)
        yield PIPELINE_RUN, 0
        yield EVENT, 1

    async def cancel_pipeline_run(self, name: str, **kwargs: Any) -> PipelineRun:
        self.note("cancel_pipeline_run", name, **kwargs)
        return PIPELINE_RUN

    async def read_pipeline_run_log(
        self, name: str, **kwargs: Any
    ) -> AsyncIterator[tuple[str, str]]:
        self.note("read_pipeline_run_log", name, **kwargs)
        yield "train", "héllo"


class FakeHosts(Recorder):
    async def list_hosts(self, **kwargs: Any) -> Page[Host]:
        self.note("list_hosts", **kwargs)
        return Page(items=[HOST])

    async def get_host(self, name: str) -> Host:
        self.note("get_host", name)
        return HOST

    async def create_host(self, address: str, **kwargs: Any) -> Host:
        self.note("create_host", address, **kwargs)
        return HOST

    async def trust_host(self, name: str, fingerprint: str, **kwargs: Any) -> Host:
        self.note("trust_host", name, fingerprint, **kwargs)
        return HOST

    async def authorize_host(self, name: str, password: str, **kwargs: Any) -> Host:
        self.note("authorize_host", name, password, **kwargs)
        return HOST

    async def check_host(self, name: str, **kwargs: Any) -> Host:
        self.note("check_host", name, **kwargs)
        return HOST

    async def drain_host(self, name: str, **kwargs: Any) -> Host:
        self.note("drain_host", name, **kwargs)
        return HOST

    async def resume_host(self, name: str, **kwargs: Any) -> Host:
        self.note("resume_host", name, **kwargs)
        return HOST

    async def delete_host(self, name: str, **kwargs: Any) -> Host:
        self.note("delete_host", name, **kwargs)
        return HOST


class FakeDoctor(Recorder):
    async def diagnose(self, request: Diagnose) -> AsyncIterator[Step | Diagnosis]:
        self.note("diagnose", request)
        yield STEP
        yield Diagnosis(hosts=(STEP.host,), steps=(STEP,))


class FakeDaemon(Recorder):
    async def get_daemon(self) -> DaemonInfo:
        self.note("get_daemon")
        return DAEMON

    async def stop_daemon(self, **kwargs: Any) -> DaemonInfo:
        self.note("stop_daemon", **kwargs)
        return DAEMON

    async def create_backup(self, path: str = "", **kwargs: Any) -> Backup:
        self.note("create_backup", path, **kwargs)
        return Backup(path="/b", bytes=1, schema=1, create_time=NOW)


STEP = Step(host="127.0.0.1", rung=Rung.UV, state=StepState.PASSED)
PIPELINE = Pipeline(file="/lab/lab_steps.toml", module="lab", etag="e")
PIPELINE_RUN = PipelineRun(
    id="x1", file=PIPELINE.file, module="lab", state=PipelineRunState.RUNNING, create_time=NOW
)
HOST = Host(address="127.0.0.1", cores=2)
INSTALLATION = Installation(
    id="i1",
    app=APP.name,
    state=InstallationState.INSTALLING,
    modes_enabled=Mode(0),
    create_time=NOW,
)
PLAN = Plan(
    id="p1",
    revision=1,
    etag="e",
    app=APP.name,
    mode=Mode(0),
    scheduler="127.0.0.1",
    slots=(),
    partition_count=1,
    total_weight=1.0,
    predicted_finish=1.0,
    lower_bound=1.0,
    selection_digest="s",
    settings_digest="d",
    digest="p",
    create_time=NOW,
)
PLANNED = PlannedPartition(
    index=0, id="a", label="A", weight=1.0, payload=None, slot=0, host="127.0.0.1"
)
RUN_PARTITION = RunPartition(id="a", label="A", weight=1.0, state=PartitionState.WAITING, slot=0)
SETTINGS = AppSettings(
    app=APP.name,
    etag="e",
    digest="d",
    path="/s.toml",
    text="",
    args={},
    mode=Mode(0),
    modes_enabled=Mode(0),
    cluster_enabled=False,
    pool=False,
    cython=False,
    rapids=False,
    verbose=1,
    selection=Selection(workers={"127.0.0.1": 2}),
    partition_timeout=0,
    run_timeout=60,
)
DAEMON = DaemonInfo(
    version="0.1.0",
    api="agi.v1",
    pid=1,
    start_time=NOW,
    state_directory="/state",
    log_path="/state/daemon.log",
    schema=1,
    active_runs=0,
    address="unix:/state/run/daemon.sock",
)


@pytest.fixture
def state() -> Iterator[Path]:
    """A state directory with a path short enough for a socket."""
    directory = Path(tempfile.mkdtemp(prefix="agi-"))
    yield directory / "state"
    shutil.rmtree(directory)


@pytest.fixture
def settings(state: Path) -> DaemonSettings:
    state.mkdir(mode=0o700)
    return DaemonSettings.read(str(state), environ={})


@pytest.fixture
async def services() -> Services:
    """A core of fakes."""
    return Services(
        daemon=FakeDaemon(),
        apps=FakeApps(),
        installations=FakeInstallations(),
        plans=FakePlans(),
        runs=FakeRuns(),
        snippets=FakeSnippets(),
        pipelines=FakePipelines(),
        pipeline_runs=FakePipelineRuns(),
        hosts=FakeHosts(),
        doctor=FakeDoctor(),
    )


Serving = Callable[[DaemonSettings], AbstractAsyncContextManager[grpc.aio.Channel]]


@pytest.fixture
def serving(services: Services) -> Serving:
    """Serves the core of fakes in this process and connects to it."""

    @asynccontextmanager
    async def serve(settings: DaemonSettings) -> AsyncIterator[grpc.aio.Channel]:
        async with (
            Server(settings, services),
            grpc.aio.insecure_channel(grpc_address(settings.socket)) as channel,
        ):
            yield channel

    return serve


@pytest.fixture
async def channel(serving: Serving, settings: DaemonSettings) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server over the core of fakes."""
    async with serving(settings) as connected:
        yield connected
