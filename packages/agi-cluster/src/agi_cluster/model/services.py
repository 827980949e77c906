"""What the daemon does, as protocols.

The daemon's core implements them, and so does the asynchronous client: what is written against
them runs inside the daemon or far from it.

Every mutation takes a ``request_id`` (a UUID; a repeat gives the first's answer) and
``validate_only``, which checks as the real call would and changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from agi_cluster.model.app import App, AppSettings, SettingChange
from agi_cluster.model.benchmark import Benchmark
from agi_cluster.model.daemon import Backup, DaemonInfo
from agi_cluster.model.diagnosis import Diagnose, Diagnosis, Step
from agi_cluster.model.event import Event
from agi_cluster.model.host import Host
from agi_cluster.model.installation import Installation
from agi_cluster.model.modes import AppModes
from agi_cluster.model.page import Page
from agi_cluster.model.pipeline import Pipeline, PipelineStep
from agi_cluster.model.pipeline_run import PipelineRun
from agi_cluster.model.plan import Plan, PlanFinding, PlannedPartition
from agi_cluster.model.plan_diff import PlanDiff
from agi_cluster.model.plan_edit import PlanEdit
from agi_cluster.model.pruning import PrunePolicy, Pruning
from agi_cluster.model.release import PruneReleases, Release, ReleasePruning
from agi_cluster.model.requests import CreateBenchmark, CreateInstallation, CreatePlan, StartRun
from agi_cluster.model.run import Run, RunPartition, RunState
from agi_cluster.model.selection import Selection
from agi_cluster.model.snippet import Snippet, SnippetKind, SnippetVerdict


class AppService(Protocol):
    """Apps and their settings."""

    async def list_apps(self, *, page_size: int = 0, page_token: str = "") -> Page[App]: ...
    async def get_app(self, app: str) -> App: ...
    async def register_app(
        self, path: str, *, replace: bool = False, request_id: str = "", validate_only: bool = False
    ) -> App: ...
    async def create_app(
        self, app_id: str, directory: str, *, request_id: str = "", validate_only: bool = False
    ) -> App: ...
    async def get_settings(self, app: str) -> AppSettings: ...
    async def update_settings(
        self,
        app: str,
        changes: Sequence[SettingChange],
        *,
        etag: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> AppSettings: ...
    async def reset_settings(
        self, app: str, *, etag: str = "", request_id: str = "", validate_only: bool = False
    ) -> AppSettings: ...


class InstallationService(Protocol):
    """Installs of worker runtimes."""

    async def create_installation(
        self, request: CreateInstallation, *, request_id: str = "", validate_only: bool = False
    ) -> Installation: ...
    async def get_installation(self, name: str) -> Installation: ...
    async def list_installations(
        self, *, page_size: int = 0, page_token: str = "", app: str = ""
    ) -> Page[Installation]: ...
    def watch_installation(
        self, name: str, *, after_sequence: int = 0
    ) -> AsyncIterator[tuple[Installation | Event, int]]:
        """Yield snapshot, events, last snapshot, each with the sequence number it includes."""
        ...


class ReleaseService(Protocol):
    """What was installed, and what is kept of it."""

    async def list_releases(
        self, app: str, *, page_size: int = 0, page_token: str = ""
    ) -> Page[Release]: ...
    async def prune_releases(
        self, request: PruneReleases, *, request_id: str = "", validate_only: bool = False
    ) -> ReleasePruning: ...


class PlanService(Protocol):
    """Distribution plans."""

    async def create_plan(
        self, request: CreatePlan, *, request_id: str = "", validate_only: bool = False
    ) -> Plan: ...
    async def get_plan(self, name: str) -> Plan: ...
    async def list_plans(
        self, *, page_size: int = 0, page_token: str = "", app: str = ""
    ) -> Page[Plan]: ...
    async def list_plan_partitions(
        self, parent: str, *, page_size: int = 0, page_token: str = ""
    ) -> Page[PlannedPartition]: ...
    async def edit_plan(
        self,
        name: str,
        edits: Sequence[PlanEdit],
        *,
        etag: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> Plan:
        """Make a new revision of a plan; all edits are applied or none."""
        ...

    async def list_plan_revisions(
        self, parent: str, *, page_size: int = 0, page_token: str = ""
    ) -> Page[Plan]: ...
    async def diff_plans(self, before: str, after: str, *, limit: int = 0) -> PlanDiff: ...
    async def lint_plan(self, name: str) -> tuple[PlanFinding, ...]: ...


class RunService(Protocol):
    """Runs."""

    async def start_run(
        self, request: StartRun, *, request_id: str = "", validate_only: bool = False
    ) -> Run: ...
    async def get_run(self, name: str) -> Run: ...
    async def list_runs(
        self,
        *,
        page_size: int = 0,
        page_token: str = "",
        app: str = "",
        states: Sequence[RunState] = (),
    ) -> Page[Run]: ...
    async def list_run_partitions(
        self, parent: str, *, page_size: int = 0, page_token: str = ""
    ) -> Page[RunPartition]: ...
    def watch_run(
        self, name: str, *, after_sequence: int = 0, verbose: int | None = None
    ) -> AsyncIterator[tuple[Run | Event, int]]:
        """Yield snapshot, events, last snapshot, each with the sequence number it includes."""
        ...

    async def cancel_run(
        self,
        name: str,
        *,
        grace_seconds: float | None = None,
        request_id: str = "",
        validate_only: bool = False,
    ) -> Run: ...
    async def retry_run(
        self,
        name: str,
        *,
        current_sources: bool = False,
        request_id: str = "",
        validate_only: bool = False,
    ) -> Run: ...
    def read_run_log(
        self, name: str, *, file: str = "", follow: bool = False
    ) -> AsyncIterator[tuple[str, str]]:
        """Yield pieces of text, each with the name of the file it comes from."""
        ...

    async def prune_runs(
        self, policy: PrunePolicy, *, request_id: str = "", validate_only: bool = False
    ) -> Pruning: ...


class SnippetService(Protocol):
    """Generated Python."""

    async def render_snippet(
        self, app: str, kind: SnippetKind, *, plan: str = "", notebook: bool = False
    ) -> Snippet: ...
    async def verify_snippet(self, text: str) -> SnippetVerdict: ...


class PipelineService(Protocol):
    """The steps in a file on the daemon's machine, given by its absolute path."""

    async def get_pipeline(self, file: str, *, module: str = "") -> Pipeline: ...
    async def add_pipeline_step(
        self,
        file: str,
        step: PipelineStep,
        *,
        module: str = "",
        generated: bool = False,
        etag: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> Pipeline: ...
    async def refresh_pipeline_steps(
        self,
        file: str,
        *,
        module: str = "",
        steps: Sequence[str] = (),
        force: bool = False,
        etag: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> Pipeline: ...
    async def remove_pipeline_step(
        self,
        file: str,
        step: str,
        *,
        module: str = "",
        etag: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> Pipeline: ...
    async def move_pipeline_step(
        self,
        file: str,
        step: str,
        position: int,
        *,
        module: str = "",
        etag: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> Pipeline: ...


class PipelineRunService(Protocol):
    """Tracked executions of pipelines."""

    async def start_pipeline_run(
        self,
        file: str,
        *,
        module: str = "",
        steps: Sequence[str] = (),
        refresh: bool = False,
        allow_stale: bool = False,
        request_id: str = "",
        validate_only: bool = False,
    ) -> PipelineRun: ...
    async def rerun_pipeline(
        self, name: str, *, request_id: str = "", validate_only: bool = False
    ) -> PipelineRun: ...
    async def resume_pipeline_run(
        self,
        name: str,
        *,
        allow_stale: bool = False,
        request_id: str = "",
        validate_only: bool = False,
    ) -> PipelineRun: ...
    async def retry_pipeline_step(
        self, name: str, step: str, *, request_id: str = "", validate_only: bool = False
    ) -> PipelineRun: ...
    async def get_pipeline_run(self, name: str) -> PipelineRun: ...
    async def list_pipeline_runs(
        self, *, page_size: int = 0, page_token: str = "", file: str = ""
    ) -> Page[PipelineRun]: ...
    def watch_pipeline_run(
        self, name: str, *, after_sequence: int = 0
    ) -> AsyncIterator[tuple[PipelineRun | Event, int]]:
        """Yield snapshot, events, last snapshot, each with the sequence number it includes."""
        ...

    async def cancel_pipeline_run(
        self,
        name: str,
        *,
        step: str = "",
        grace_seconds: float | None = None,
        request_id: str = "",
        validate_only: bool = False,
    ) -> PipelineRun: ...
    def read_pipeline_run_log(
        self, name: str, *, step: str = "", follow: bool = False
    ) -> AsyncIterator[tuple[str, str]]:
        """Yield pieces of text, each with the step that printed it."""
        ...


class HostService(Protocol):
    """The machines that the daemon knows."""

    async def list_hosts(self, *, page_size: int = 0, page_token: str = "") -> Page[Host]: ...
    async def get_host(self, name: str) -> Host: ...
    async def create_host(
        self,
        address: str,
        *,
        user: str = "",
        port: int = 0,
        identity_file: str = "",
        trust_fingerprint: str = "",
        request_id: str = "",
        validate_only: bool = False,
    ) -> Host: ...
    async def trust_host(
        self, name: str, fingerprint: str, *, request_id: str = "", validate_only: bool = False
    ) -> Host: ...
    async def authorize_host(
        self, name: str, password: str, *, request_id: str = "", validate_only: bool = False
    ) -> Host: ...
    async def check_host(
        self, name: str, *, request_id: str = "", validate_only: bool = False
    ) -> Host: ...
    async def drain_host(
        self, name: str, *, etag: str = "", request_id: str = "", validate_only: bool = False
    ) -> Host: ...
    async def resume_host(
        self, name: str, *, etag: str = "", request_id: str = "", validate_only: bool = False
    ) -> Host: ...
    async def delete_host(
        self, name: str, *, etag: str = "", request_id: str = "", validate_only: bool = False
    ) -> Host: ...


class DoctorService(Protocol):
    """What is wrong with the machines."""

    def diagnose(self, request: Diagnose) -> AsyncIterator[Step | Diagnosis]:
        """Yield each step as it is climbed, and at last the diagnosis with all of them."""
        ...


class ModeService(Protocol):
    """What the modes of an app come to on its hosts."""

    async def get_modes(self, app: str, selection: Selection = Selection()) -> AppModes: ...


class BenchmarkService(Protocol):
    """The same run in several modes."""

    async def create_benchmark(
        self, request: CreateBenchmark, *, request_id: str = "", validate_only: bool = False
    ) -> Benchmark: ...
    async def get_benchmark(self, name: str) -> Benchmark: ...
    async def list_benchmarks(
        self, *, page_size: int = 0, page_token: str = "", app: str = ""
    ) -> Page[Benchmark]: ...
    def watch_benchmark(
        self, name: str, *, after_sequence: int = 0
    ) -> AsyncIterator[tuple[Benchmark | Event, int]]:
        """Yield snapshot, events, last snapshot, each with the sequence number it includes."""
        ...

    async def cancel_benchmark(
        self, name: str, *, request_id: str = "", validate_only: bool = False
    ) -> Benchmark: ...


class DaemonService(Protocol):
    """The daemon itself."""

    async def get_daemon(self) -> DaemonInfo: ...
    async def stop_daemon(
        self, *, request_id: str = "", validate_only: bool = False
    ) -> DaemonInfo: ...
    async def create_backup(
        self, path: str = "", *, request_id: str = "", validate_only: bool = False
    ) -> Backup: ...
