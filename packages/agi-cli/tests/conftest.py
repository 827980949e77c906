"""A terminal made of text buffers, and a client of a daemon that is only remembered."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import pytest

from agi_cli.main import run
from agi_cli.session import Session
from agi_cluster.model.app import App, AppSettings, SettingChange
from agi_cluster.model.daemon import DaemonInfo
from agi_cluster.model.diagnosis import Diagnose, Diagnosis, Step
from agi_cluster.model.event import Event
from agi_cluster.model.host import Host
from agi_cluster.model.installation import HostInstallation, Installation, InstallationState
from agi_cluster.model.page import Page
from agi_cluster.model.pipeline import Freshness, Pipeline, PipelineStep, StepState
from agi_cluster.model.pipeline_run import (
    LinkedResource,
    PipelineRun,
    PipelineRunState,
    StepExecution,
    StepOutput,
)
from agi_cluster.model.plan import Plan, PlanFinding, PlannedPartition, PlanSlot
from agi_cluster.model.plan_diff import MovedPartition, PlanDiff
from agi_cluster.model.plan_edit import PlanEdit
from agi_cluster.model.release import (
    HostPruning,
    PrunedItem,
    PrunedKind,
    PruneReleases,
    Release,
    ReleasePruning,
)
from agi_cluster.model.requests import CreateInstallation, CreatePlan, StartRun
from agi_cluster.model.run import (
    PartitionState,
    Run,
    RunPartition,
    RunPaths,
    RunProgress,
    RunSlot,
    RunState,
)
from agi_cluster.model.selection import Selection
from agi_cluster.model.snippet import (
    SNIPPET_API,
    Snippet,
    SnippetFacts,
    SnippetKind,
    SnippetVerdict,
    Staleness,
)
from agi_env.errors import DaemonError, HostUnreachableError, PartitionFailedError
from agi_env.mode import Mode

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
TEXT = "# mine\n[cluster]\npool = true\n"

WEATHER = App(
    name="weather_project",
    target="weather",
    path="/apps/weather_project",
    settings_path="/state/settings/weather_project/app_settings.toml",
    requires_python=">=3.11",
)
SETTINGS = AppSettings(
    app="weather_project",
    etag="e1",
    digest="d1",
    path=WEATHER.settings_path,
    text=TEXT,
    args={"nfile": 2},
    mode=Mode.POOL,
    modes_enabled=Mode.POOL,
    cluster_enabled=False,
    pool=True,
    cython=False,
    rapids=False,
    verbose=1,
    selection=Selection(workers={"127.0.0.1": 2}),
    partition_timeout=0.0,
    run_timeout=86400.0,
    explanation=("1 = pool", "workers: 2 slots on 127.0.0.1; scheduler: 127.0.0.1"),
)
PLAN = Plan(
    id="weather-1",
    revision=1,
    etag="p1",
    app="weather_project",
    mode=Mode.POOL,
    scheduler="127.0.0.1",
    slots=(
        PlanSlot(
            index=0, host="127.0.0.1", cores=1, load=30, partition_count=2, predicted_finish=30
        ),
        PlanSlot(
            index=1, host="127.0.0.1", cores=1, load=20, partition_count=1, predicted_finish=20
        ),
    ),
    partition_count=3,
    total_weight=50,
    predicted_finish=30,
    lower_bound=25,
    selection_digest="s",
    settings_digest="d1",
    digest="pd",
    create_time=NOON,
)
PLANNED = tuple(
    PlannedPartition(
        index=i, id=f"p{i}", label=f"part {i}", weight=w, payload=None, slot=s, host="127.0.0.1"
    )
    for i, (w, s) in enumerate([(10, 0), (20, 0), (20, 1)])
)
SUCCEEDED = Run(
    id="weather-r1",
    app="weather_project",
    mode=Mode.POOL,
    state=RunState.SUCCEEDED,
    create_time=NOON,
    start_time=NOON,
    end_time=NOON + timedelta(seconds=1.5),
    plan=PLAN.name,
    progress=RunProgress(total=3, succeeded=3, weight_done=50, weight_total=50),
    result={"rows": [{"city": "Oslo", "rain": 1.5}, {"city": "Rome", "rain": 0.25}], "days": 3},
    paths=RunPaths(published="/share/weather/results/weather-r1"),
    slots=(
        RunSlot(
            index=0, host="127.0.0.1", cores=1, partitions=2, busy_seconds=1.0, cpu_seconds=0.5
        ),
        RunSlot(
            index=1, host="127.0.0.1", cores=1, partitions=1, busy_seconds=0.5, cpu_seconds=0.5
        ),
    ),
    epoch=1,
)
PARTITIONS = tuple(
    RunPartition(
        id=p.id,
        label=p.label,
        weight=p.weight,
        state=PartitionState.SUCCEEDED,
        slot=p.slot,
        attempts=1,
        seconds=0.5,
        cpu_seconds=0.4,
    )
    for p in PLANNED
)


READY_HOST = Host(
    address="node1",
    cores=8,
    leased_cores=2,
    user="ann",
    fingerprint="SHA256:aaa",
    offered_fingerprint="SHA256:aaa",
    memory_bytes=16 * 2**30,
    python_version="3.11.7",
    python_path="/usr/bin/python3",
    pythons=("3.11.7 /usr/bin/python3", "3.9.2 /usr/bin/python3.9"),
    platform="linux-x86_64",
    libc="glibc2.36",
    os="Debian GNU/Linux 12 (bookworm)",
    uv_version="0.8.1",
    uv_path="/usr/bin/uv",
    gpus=("GPU 0: A100",),
    account="ann",
    home="/home/ann",
    root="/home/ann/.local/state/agi-host/node1",
    disk_free_bytes=2**40,
    clock_offset=-90.0,
    boot_id="b1",
)
FACTS = SnippetFacts(
    kind=SnippetKind.RUN, app="weather_project", settings="ab" * 32, code="cd" * 32
)
PIPELINE = Pipeline(
    file="/lab/lab_steps.toml",
    module="weather",
    etag="l1",
    steps=(
        PipelineStep(
            id="train",
            number=1,
            description="Train",
            code="pass",
            engine="agi.run",
            origin=FACTS,
            freshness=Freshness.STALE,
            stale=(Staleness(field="arguments", detail="args.nfile was 1 and is 2 now"),),
        ),
        PipelineStep(id="report", deps=("train",), code="pass", engine="runpy"),
    ),
    serial=False,
    latest_run="x1",
)
EXECUTION = PipelineRun(
    id="x1",
    file=PIPELINE.file,
    module="weather",
    state=PipelineRunState.SUCCEEDED,
    create_time=NOON,
    end_time=NOON + timedelta(seconds=2),
    steps=(
        StepExecution(
            step="train",
            engine="agi.run",
            code="pass",
            code_digest="c1",
            state=StepState.SUCCEEDED,
            attempt=1,
            exit_code=0,
            start_time=NOON,
            end_time=NOON + timedelta(seconds=1.5),
            linked=(LinkedResource(name="runs/weather-r1", state="SUCCEEDED"),),
            outputs=(StepOutput(path="model", place="/lab/model", sha256="ef" * 32, files=1),),
        ),
    ),
)


RELEASES = (
    Release(
        app="weather_project",
        digest="cd" * 32,
        modes_enabled=Mode.CLUSTER,
        install_time=NOON,
        current=True,
        changed_inputs=("app: src/weather/weather.py (edited)",),
    ),
    Release(
        app="weather_project",
        digest="ab" * 32,
        modes_enabled=Mode.CLUSTER,
        install_time=NOON - timedelta(days=1),
        current=False,
    ),
)
PRUNING = ReleasePruning(
    hosts=(
        HostPruning(
            host="node1",
            removed=(
                PrunedItem(
                    kind=PrunedKind.BUILD,
                    item="ab" * 32,
                    size_bytes=2**20,
                    detail="weather_project",
                ),
            ),
            kept=(PrunedItem(kind=PrunedKind.BUILD, item="cd" * 32, detail="in use"),),
        ),
        HostPruning(host="node2", error=HostUnreachableError("it is off", where="node2")),
    )
)


def event(sequence: int, kind: str, verbosity: int = 1, **data: Any) -> Event:
    moment = NOON + timedelta(seconds=sequence / 10)
    return Event(sequence=sequence, time=moment, kind=kind, data=data, verbosity=verbosity)


def life(last: Run) -> list[Run | Event]:
    """What a watch of a run of three partitions tells, with the snapshot at its end."""
    first = attrs.evolve(
        last, state=RunState.QUEUED, plan="", progress=RunProgress(), result=None, end_time=None
    )
    return [
        first,
        event(1, "accepted"),
        event(2, "state_changed", state="INSTALLING"),
        event(3, "installed", unchanged=True),
        event(4, "planned", plan=PLAN.name, partitions=3),
        event(5, "state_changed", state="RUNNING"),
        event(6, "runner_started", epoch=1),
        event(7, "partition_started", 2, id="p0", slot=0, attempt=1),
        event(8, "partition_started", 2, id="p2", slot=1, attempt=1),
        event(9, "partition_finished", 2, id="p0", slot=0, seconds=0.2),
        event(10, "partition_finished", 2, id="p2", slot=1, seconds=0.2),
        event(11, "partition_started", 2, id="p1", slot=0, attempt=1),
        event(12, "partition_finished", 2, id="p1", slot=0, seconds=0.3),
        event(13, "reduce_started"),
        event(14, "settled", 0, state=last.state.value),
        last,
    ]


class Interruption:
    """In a list of updates: where a person presses Ctrl-C."""


class Absence:
    """In a list of updates: where the daemon goes away for a while; for good with an error."""

    def __init__(self, error: DaemonError | None = None) -> None:
        self.error = error


class FakeClient:
    """The methods of the synchronous client; remembers what it was asked."""

    def __init__(self) -> None:
        self.stale: tuple[Staleness, ...] = ()
        self.execution = EXECUTION
        self.asked: list[Any] = []
        self.away: Callable[[Any], None] = lambda _: None
        self.running = True
        self.final = SUCCEEDED
        self.host = READY_HOST
        self.updates: list[Any] | None = None
        self.installed = Installation(
            id="weather-i1",
            app="weather_project",
            state=InstallationState.SUCCEEDED,
            modes_enabled=Mode.POOL,
            create_time=NOON,
            end_time=NOON + timedelta(seconds=0.25),
            hosts=(
                HostInstallation(
                    host="127.0.0.1",
                    state=InstallationState.SUCCEEDED,
                    build="ab" * 32,
                    unchanged=True,
                    seconds=0.2,
                ),
            ),
            unchanged=True,
        )
        self.run_partitions = PARTITIONS
        self.listed = 2
        self.log = [("executor-0-0.log", "hel"), ("executor-0-0.log", "lo\n"), ("runner.log", "")]
        self.error: BaseException | None = None
        self.diagnosis: Diagnosis | None = None

    def __enter__(self) -> FakeClient:
        return self

    def __exit__(self, *_: object) -> None: ...

    def _ask(self, what: Any) -> None:
        self.asked.append(what)
        if self.error is not None:
            raise self.error
        if not self.running:
            raise DaemonError("the daemon cannot be reached")

    def list_apps(self, *, page_size: int = 0, page_token: str = "") -> Page[App]:
        self._ask("list_apps")
        return Page(items=(WEATHER,))

    def get_app(self, app: str) -> App:
        self._ask(("get_app", app))
        return WEATHER

    def register_app(self, path: str, *, replace: bool = False, validate_only: bool = False) -> App:
        self._ask(("register_app", path, replace, validate_only))
        return attrs.evolve(WEATHER, path=path)

    def create_app(self, app_id: str, directory: str, *, validate_only: bool = False) -> App:
        self._ask(("create_app", app_id, directory, validate_only))
        return attrs.evolve(WEATHER, path=f"{directory}/{app_id}")

    def get_settings(self, app: str) -> AppSettings:
        self._ask(("get_settings", app))
        return SETTINGS

    def update_settings(
        self,
        app: str,
        changes: Sequence[SettingChange],
        *,
        etag: str = "",
        validate_only: bool = False,
    ) -> AppSettings:
        self._ask(("update_settings", app, list(changes), etag, validate_only))
        return SETTINGS

    def reset_settings(
        self, app: str, *, etag: str = "", validate_only: bool = False
    ) -> AppSettings:
        self._ask(("reset_settings", app, etag, validate_only))
        return SETTINGS

    def create_installation(
        self, request: CreateInstallation, *, validate_only: bool = False
    ) -> Installation:
        self._ask((request, validate_only))
        return attrs.evolve(self.installed, state=InstallationState.PENDING, end_time=None)

    def watch_installation(self, name: str) -> Iterator[tuple[Any, int]]:
        yield event(1, "accepted"), 1
        yield event(2, "unchanged", host="127.0.0.1", detail="ab" * 32), 2
        yield self.installed, 2

    def list_releases(self, app: str, *, page_size: int = 0, page_token: str = "") -> Page[Release]:
        self._ask(("list_releases", app))
        return Page(items=RELEASES)

    def prune_releases(
        self, request: PruneReleases, *, validate_only: bool = False
    ) -> ReleasePruning:
        self._ask((request, validate_only))
        return PRUNING

    def create_plan(self, request: CreatePlan, *, validate_only: bool = False) -> Plan:
        self._ask((request, validate_only))
        return attrs.evolve(PLAN, printed="looking\nfor \x1b[31mrain\n")

    def get_plan(self, name: str) -> Plan:
        self._ask(("get_plan", name))
        return PLAN

    def list_plans(self, *, page_size: int = 0, page_token: str = "", app: str = "") -> Page[Plan]:
        self._ask(("list_plans", page_size, app))
        return Page(items=(PLAN,)[: self.listed])

    def list_plan_partitions(
        self, parent: str, *, page_size: int = 0, page_token: str = ""
    ) -> Page[PlannedPartition]:
        """Two on each page."""
        start = int(page_token or 0)
        end = start + 2
        return Page(
            items=PLANNED[start:end], next_page_token=str(end) if end < len(PLANNED) else ""
        )

    def edit_plan(
        self,
        name: str,
        edits: Sequence[PlanEdit],
        *,
        etag: str = "",
        validate_only: bool = False,
    ) -> Plan:
        self._ask(("edit_plan", name, list(edits), etag, validate_only))
        return attrs.evolve(PLAN, revision=2, etag="p2", change="moved p0 to 127.0.0.1/1")

    def list_plan_revisions(
        self, parent: str, *, page_size: int = 0, page_token: str = ""
    ) -> Page[Plan]:
        self._ask(("list_plan_revisions", parent))
        return Page(items=(PLAN,))

    def diff_plans(self, before: str, after: str, *, limit: int = 0) -> PlanDiff:
        self._ask(("diff_plans", before, after, limit))
        moved = MovedPartition(id="p0", weight=10, before="127.0.0.1/0", after="127.0.0.1/1")
        return PlanDiff(before=before, after=after, moved=(moved,), moved_count=1)

    def lint_plan(self, name: str) -> tuple[PlanFinding, ...]:
        self._ask(("lint_plan", name))
        return (PlanFinding(code="ONE_HOST", message="all on one", numbers={"hosts": 2.0}),)

    def start_run(self, request: StartRun, *, validate_only: bool = False) -> Run:
        self._ask((request, validate_only))
        verbose = 1 if request.verbose is None else request.verbose
        return attrs.evolve(life(self.final)[0], verbose=verbose)

    def get_run(self, name: str) -> Run:
        self._ask(("get_run", name))
        return self.final

    def list_runs(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        app: str = "",
        states: Sequence[RunState] = (),
    ) -> Page[Run]:
        self._ask(("list_runs", page_size, app, tuple(states)))
        return Page(
            items=(self.final,) * min(page_size or 2, self.listed),
            next_page_token="1" if page_size == 1 else "",
        )

    def list_run_partitions(
        self, parent: str, *, page_size: int = 0, page_token: str = ""
    ) -> Page[RunPartition]:
        return Page(items=self.run_partitions)

    def watch_run(self, name: str, *, verbose: int | None = None) -> Iterator[tuple[Any, int]]:
        self._ask(("watch_run", name, verbose))
        for number, update in enumerate(self.updates or life(self.final)):
            if isinstance(update, Interruption):
                raise KeyboardInterrupt
            if isinstance(update, Absence):
                self.away(update.error or DaemonError("the daemon cannot be reached"))
                if update.error is not None:
                    raise update.error
                self.away(None)
                continue
            if not isinstance(update, Event) or update.verbosity <= (verbose or 0):
                yield update, number

    def cancel_run(
        self, name: str, *, grace_seconds: float | None = None, validate_only: bool = False
    ) -> Run:
        self._ask(("cancel_run", name, grace_seconds, validate_only))
        return attrs.evolve(self.final, state=RunState.CANCELLING, end_time=None, result=None)

    def retry_run(
        self, name: str, *, current_sources: bool = False, validate_only: bool = False
    ) -> Run:
        self._ask(("retry_run", name, current_sources, validate_only))
        return attrs.evolve(self.final, id="weather-r2", retry_of=name)

    def read_run_log(
        self, name: str, *, file: str = "", follow: bool = False
    ) -> Iterator[tuple[str, str]]:
        self._ask(("read_run_log", name, file, follow))
        yield from (piece for piece in self.log if file in {"", piece[0]})

    def render_snippet(
        self, app: str, kind: SnippetKind, *, plan: str = "", notebook: bool = False
    ) -> Snippet:
        self._ask(("render_snippet", app, kind, plan, notebook))
        return Snippet(
            app="weather_project",
            kind=kind,
            text=f"# {kind.value} é\n",
            api=SNIPPET_API,
            settings_digest="d1",
        )

    def verify_snippet(self, text: str) -> SnippetVerdict:
        self._ask(("verify_snippet", text))
        return SnippetVerdict(facts=FACTS, stale=self.stale)

    def get_pipeline(self, file: str, *, module: str = "") -> Pipeline:
        self._ask(("get_pipeline", file, module))
        return PIPELINE

    def add_pipeline_step(self, file: str, step: PipelineStep, **more: Any) -> Pipeline:
        self._ask(("add_pipeline_step", file, step, more))
        return PIPELINE

    def refresh_pipeline_steps(self, file: str, **more: Any) -> Pipeline:
        self._ask(("refresh_pipeline_steps", file, more))
        return PIPELINE

    def remove_pipeline_step(self, file: str, step: str, **more: Any) -> Pipeline:
        self._ask(("remove_pipeline_step", file, step, more))
        return PIPELINE

    def move_pipeline_step(self, file: str, step: str, position: int, **more: Any) -> Pipeline:
        self._ask(("move_pipeline_step", file, step, position, more))
        return PIPELINE

    def start_pipeline_run(self, file: str, **more: Any) -> PipelineRun:
        self._ask(("start_pipeline_run", file, more))
        return attrs.evolve(self.execution, state=PipelineRunState.RUNNING, end_time=None)

    def rerun_pipeline(self, name: str, **more: Any) -> PipelineRun:
        self._ask(("rerun_pipeline", name, more))
        return self.execution

    def resume_pipeline_run(self, name: str, **more: Any) -> PipelineRun:
        self._ask(("resume_pipeline_run", name, more))
        return self.execution

    def retry_pipeline_step(self, name: str, step: str, **more: Any) -> PipelineRun:
        self._ask(("retry_pipeline_step", name, step, more))
        return self.execution

    def get_pipeline_run(self, name: str) -> PipelineRun:
        self._ask(("get_pipeline_run", name))
        return EXECUTION if name == "x1" else self.execution

    def list_pipeline_runs(
        self, *, page_size: int = 0, page_token: str = "", file: str = ""
    ) -> Page[PipelineRun]:
        self._ask(("list_pipeline_runs", page_size, file))
        return Page(items=(self.execution,))

    def watch_pipeline_run(self, name: str) -> Iterator[tuple[Any, int]]:
        self._ask(("watch_pipeline_run", name))
        yield self.execution, 0
        yield event(1, "step_started", step="train", attempt=1), 1
        yield event(2, "step_ended", step="train", state="SUCCEEDED", seconds=1.5), 2
        yield self.execution, 2

    def cancel_pipeline_run(self, name: str, **more: Any) -> PipelineRun:
        self._ask(("cancel_pipeline_run", name, more))
        return self.execution

    def read_pipeline_run_log(
        self, name: str, *, step: str = "", follow: bool = False
    ) -> Iterator[tuple[str, str]]:
        self._ask(("read_pipeline_run_log", name, step, follow))
        yield from [("train", "hel"), ("train", "lo\n"), ("report", "done\n")]

    def list_hosts(self, *, page_size: int = 0, page_token: str = "") -> Page[Host]:
        self._ask("list_hosts")
        return Page(items=(Host(address="127.0.0.1", cores=2, memory_bytes=3 * 2**30),))

    def diagnose(self, request: Diagnose) -> Iterator[Step | Diagnosis]:
        self._ask(request)
        assert self.diagnosis
        yield from self.diagnosis.steps
        yield self.diagnosis

    def get_host(self, name: str) -> Host:
        self._ask(("get_host", name))
        return self.host

    def create_host(self, address: str, **given: Any) -> Host:
        self._ask(("create_host", address, given))
        return self.host

    def trust_host(self, name: str, fingerprint: str, **given: Any) -> Host:
        self._ask(("trust_host", name, fingerprint))
        return attrs.evolve(READY_HOST, fingerprint=fingerprint)

    def authorize_host(self, name: str, password: str, *, validate_only: bool = False) -> Host:
        if not validate_only:
            self._ask(("authorize_host", name, password))
        return READY_HOST

    def check_host(self, name: str, **given: Any) -> Host:
        self._ask(("check_host", name))
        return attrs.evolve(self.host, address=name)

    def drain_host(self, name: str, **given: Any) -> Host:
        self._ask(("drain_host", name))
        return attrs.evolve(READY_HOST, drained=True)

    def resume_host(self, name: str, **given: Any) -> Host:
        self._ask(("resume_host", name))
        return READY_HOST

    def delete_host(self, name: str, **given: Any) -> Host:
        self._ask(("delete_host", name))
        return READY_HOST

    def get_daemon(self) -> DaemonInfo:
        self._ask("get_daemon")
        return DaemonInfo(
            version="0.1.0",
            api="agi.v1",
            pid=1,
            start_time=NOON,
            state_directory="/nowhere",
            log_path="/nowhere/daemon.log",
            schema=1,
            active_runs=0,
            address="unix:/nowhere/run/daemon.sock",
        )

    def stop_daemon(self, *, validate_only: bool = False) -> DaemonInfo:
        return self.get_daemon()


class Screen(io.StringIO):
    """A stream that somebody sits before."""

    def isatty(self) -> bool:
        return True


class Terminal:
    """Types commands, and keeps what was written."""

    def __init__(self) -> None:
        self.client = FakeClient()
        self.starting: list[bool] = []
        self.out = io.StringIO()
        self.err = io.StringIO()

    def type(self, *args: str, out: Any = None, err: Any = None) -> int:
        """Carry out one command; returns its exit code."""
        self.out, self.err = io.StringIO(), io.StringIO()
        session = Session(out=out or self.out, err=err or self.err, connect=self.connect)
        return run(args, session)

    def answer(self, answers: str, *args: str) -> int:
        """Carry out one command that asks, before somebody who types these lines."""
        self.out, self.err = io.StringIO(), Screen()
        session = Session(out=self.out, err=self.err, connect=self.connect, answers=Screen(answers))
        return run(args, session)

    def pipe(self, given: str, *args: str) -> int:
        """Carry out one command whose standard input is a pipe."""
        self.out, self.err = io.StringIO(), io.StringIO()
        answers = io.StringIO(given)
        return run(args, Session(out=self.out, err=self.err, connect=self.connect, answers=answers))

    def connect(self, *, start_daemon: bool) -> Any:
        self.starting.append(start_daemon)
        return self.client

    @property
    def shown(self) -> str:
        return self.out.getvalue()

    @property
    def said(self) -> str:
        return self.err.getvalue()


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture
def failed_run() -> Run:
    error = PartitionFailedError("work() raised KeyError: 'rain'", where="partition part 1")
    return attrs.evolve(
        SUCCEEDED,
        state=RunState.FAILED,
        error=error,
        result=None,
        paths=RunPaths(kept="/share/weather/results/.agi-weather-r1"),
        progress=RunProgress(total=3, succeeded=2, failed=1),
    )


@pytest.fixture
def interrupted_life() -> list[Any]:
    """A watch during which Ctrl-C is pressed."""
    return [*life(SUCCEEDED)[:9], Interruption()]


@pytest.fixture
def life_without_a_daemon() -> list[Any]:
    """A watch whose daemon goes away twice: for a while, and while the run runs for good."""
    error = DaemonError("the daemon cannot be reached", where="unix:/run/agi.sock")
    told = life(SUCCEEDED)
    return [*told[:3], Absence(), *told[3:9], Absence(error)]


@pytest.fixture
def whole_life() -> list[Any]:
    return life(SUCCEEDED)
