from __future__ import annotations

import uuid
from typing import Any

import grpc
import pytest

from agi_cluster.api.v1 import (
    apps_pb2,
    apps_pb2_grpc,
    daemon_pb2,
    daemon_pb2_grpc,
    doctor_pb2,
    doctor_pb2_grpc,
    hosts_pb2,
    hosts_pb2_grpc,
    installations_pb2,
    installations_pb2_grpc,
    pipeline_runs_pb2,
    pipeline_runs_pb2_grpc,
    pipelines_pb2,
    pipelines_pb2_grpc,
    plans_pb2,
    plans_pb2_grpc,
    runs_pb2,
    runs_pb2_grpc,
    snippets_pb2,
    snippets_pb2_grpc,
)
from agi_cluster.model.app import SettingChange
from agi_cluster.model.diagnosis import Diagnose
from agi_cluster.model.pipeline import PipelineStep
from agi_cluster.model.plan_edit import Move, Pin, Rebalance, Swap, Undo, Unpin
from agi_cluster.model.pruning import PrunePolicy
from agi_cluster.model.requests import CreateInstallation, CreatePlan, StalePlan, StartRun
from agi_cluster.model.run import RunState, SnippetOrigin
from agi_cluster.model.selection import Selection
from agi_cluster.model.snippet import SnippetKind
from agi_cluster.wire.errors import from_rpc
from agi_daemon.compose import Services
from agi_env.errors import AgiError
from agi_env.mode import Mode

ID = "0f0e0d0c-0b0a-4908-8706-050403020100"
MUTATION = {"request_id": ID, "validate_only": True}
EDIT = {"module": "m", "etag": "e", **MUTATION}
LAB, EXECUTION = "/lab/lab_steps.toml", "pipelineRuns/x1"
PAGE = {"page_size": 7, "page_token": "t"}

MODULES = {
    "apps": (apps_pb2, apps_pb2_grpc.AppServiceStub),
    "installations": (installations_pb2, installations_pb2_grpc.InstallationServiceStub),
    "plans": (plans_pb2, plans_pb2_grpc.PlanServiceStub),
    "runs": (runs_pb2, runs_pb2_grpc.RunServiceStub),
    "pipelines": (pipelines_pb2, pipelines_pb2_grpc.PipelineServiceStub),
    "pipeline_runs": (pipeline_runs_pb2, pipeline_runs_pb2_grpc.PipelineRunServiceStub),
    "snippets": (snippets_pb2, snippets_pb2_grpc.SnippetServiceStub),
    "hosts": (hosts_pb2, hosts_pb2_grpc.HostServiceStub),
    "doctor": (doctor_pb2, doctor_pb2_grpc.DoctorServiceStub),
    "daemon": (daemon_pb2, daemon_pb2_grpc.DaemonServiceStub),
}
SELECTION = {"scheduler": "h", "workers": {"h": 2}, "cores_per_slot": 1}

# service, method, fields of the request -> how the core is called
CALLS: list[tuple[str, str, dict[str, Any], tuple[str, tuple[Any, ...], dict[str, Any]]]] = [
    ("apps", "ListApps", PAGE, ("list_apps", (), PAGE)),
    ("apps", "GetApp", {"name": "apps/flights"}, ("get_app", ("flights",), {})),
    (
        "apps",
        "RegisterApp",
        {"path": "/a", "replace": True, **MUTATION},
        ("register_app", ("/a",), {"replace": True, **MUTATION}),
    ),
    (
        "apps",
        "CreateApp",
        {"app_id": "w_project", "directory": "/a", **MUTATION},
        ("create_app", ("w_project", "/a"), MUTATION),
    ),
    (
        "apps",
        "GetSettings",
        {"name": "apps/flights/settings"},
        ("get_settings", ("flights",), {}),
    ),
    (
        "apps",
        "UpdateSettings",
        {
            "name": "flights",
            "changes": [apps_pb2.SettingChange(key="cluster.pool", value="true")],
            "etag": "e",
            **MUTATION,
        },
        (
            "update_settings",
            ("flights", [SettingChange(key="cluster.pool", value="true")]),
            {"etag": "e", **MUTATION},
        ),
    ),
    (
        "apps",
        "ResetSettings",
        {"name": "flights", "etag": "e", **MUTATION},
        ("reset_settings", ("flights",), {"etag": "e", **MUTATION}),
    ),
    (
        "installations",
        "CreateInstallation",
        {"app": "flights", "selection": SELECTION, "modes_enabled": 0, **MUTATION},
        (
            "create_installation",
            (
                CreateInstallation(
                    app="flights", selection=Selection(**SELECTION), modes_enabled=Mode(0)
                ),
            ),
            MUTATION,
        ),
    ),
    (
        "installations",
        "GetInstallation",
        {"name": "installations/i1"},
        ("get_installation", ("installations/i1",), {}),
    ),
    (
        "installations",
        "ListInstallations",
        {"app": "flights", **PAGE},
        ("list_installations", (), {"app": "flights", **PAGE}),
    ),
    (
        "installations",
        "WatchInstallation",
        {"name": "i1", "after_sequence": 3},
        ("watch_installation", ("installations/i1",), {"after_sequence": 3}),
    ),
    (
        "plans",
        "CreatePlan",
        {
            "app": "flights",
            "no_install": True,
            "without": ["h"],
            "slots": {"g": 4},
            "rebase": "plans/p1",
            **MUTATION,
        },
        (
            "create_plan",
            (
                CreatePlan(
                    app="flights",
                    no_install=True,
                    without=("h",),
                    slots={"g": 4},
                    rebase="plans/p1",
                ),
            ),
            MUTATION,
        ),
    ),
    ("plans", "GetPlan", {"name": "plans/p1@2"}, ("get_plan", ("plans/p1@2",), {})),
    ("plans", "ListPlans", {"app": "f", **PAGE}, ("list_plans", (), {"app": "f", **PAGE})),
    (
        "plans",
        "ListPlanPartitions",
        {"parent": "plans/p1", **PAGE},
        ("list_plan_partitions", ("plans/p1",), PAGE),
    ),
    (
        "plans",
        "EditPlan",
        {
            "name": "p1",
            "etag": "e",
            "edits": [
                {"move": {"partitions": ["a", "b"], "slot": 2}},
                {"swap": {"first": "a", "second": "b"}},
                {"pin": {"partitions": ["a"]}},
                {"unpin": {}},
                {"rebalance": {"without": ["h"]}},
                {"undo": {"revision": 1}},
            ],
            **MUTATION,
        },
        (
            "edit_plan",
            (
                "plans/p1",
                (
                    Move(partitions=("a", "b"), slot=2),
                    Swap(first="a", second="b"),
                    Pin(partitions=("a",)),
                    Unpin(),
                    Rebalance(without=("h",)),
                    Undo(revision=1),
                ),
            ),
            {"etag": "e", **MUTATION},
        ),
    ),
    (
        "plans",
        "ListPlanRevisions",
        {"parent": "p1", **PAGE},
        ("list_plan_revisions", ("plans/p1",), PAGE),
    ),
    (
        "plans",
        "DiffPlans",
        {"before": "p1@1", "after": "p1", "limit": 7},
        ("diff_plans", ("plans/p1@1", "plans/p1"), {"limit": 7}),
    ),
    ("plans", "LintPlan", {"name": "p1@1"}, ("lint_plan", ("plans/p1@1",), {})),
    (
        "runs",
        "StartRun",
        {
            "app": "flights",
            "mode": 1,
            "args": {"n": 3},
            "plan": "plans/p1",
            "snippet": runs_pb2.SnippetOrigin(api="a", settings_digest="d"),
            "verbose": 3,
            "stale_plan": runs_pb2.STALE_PLAN_REBASE,
            **MUTATION,
        },
        (
            "start_run",
            (
                StartRun(
                    app="flights",
                    mode=Mode(1),
                    args={"n": 3},
                    plan="plans/p1",
                    snippet=SnippetOrigin(api="a", settings_digest="d"),
                    verbose=3,
                    stale_plan=StalePlan.REBASE,
                ),
            ),
            MUTATION,
        ),
    ),
    ("runs", "GetRun", {"name": "r1"}, ("get_run", ("runs/r1",), {})),
    (
        "runs",
        "ListRuns",
        {"app": "f", "states": [runs_pb2.Run.STATE_FAILED], **PAGE},
        ("list_runs", (), {"app": "f", "states": (RunState.FAILED,), **PAGE}),
    ),
    (
        "runs",
        "ListRunPartitions",
        {"parent": "runs/r1", **PAGE},
        ("list_run_partitions", ("runs/r1",), PAGE),
    ),
    (
        "runs",
        "WatchRun",
        {"name": "r1", "after_sequence": 3, "verbose": 0},
        ("watch_run", ("runs/r1",), {"after_sequence": 3, "verbose": 0}),
    ),
    (
        "runs",
        "CancelRun",
        {"name": "r1", "grace_seconds": 0, **MUTATION},
        ("cancel_run", ("runs/r1",), {"grace_seconds": 0, **MUTATION}),
    ),
    (
        "runs",
        "RetryRun",
        {"name": "r1", "current_sources": True, **MUTATION},
        ("retry_run", ("runs/r1",), {"current_sources": True, **MUTATION}),
    ),
    (
        "runs",
        "ReadRunLog",
        {"name": "r1", "file": "runner.log"},
        ("read_run_log", ("runs/r1",), {"file": "runner.log", "follow": False}),
    ),
    (
        "runs",
        "PruneRuns",
        {"older_than_seconds": 5, "keep": 2, **MUTATION},
        ("prune_runs", (PrunePolicy(older_than=5, keep=2),), MUTATION),
    ),
    (
        "daemon",
        "CreateBackup",
        {"path": "/backups", **MUTATION},
        ("create_backup", ("/backups",), MUTATION),
    ),
    (
        "snippets",
        "RenderSnippet",
        {"app": "apps/flights", "kind": snippets_pb2.Snippet.KIND_RUN},
        ("render_snippet", ("flights", SnippetKind.RUN), {"plan": "", "notebook": False}),
    ),
    ("snippets", "VerifySnippet", {"text": "# x"}, ("verify_snippet", ("# x",), {})),
    (
        "pipelines",
        "GetPipeline",
        {"name": LAB, "module": "lab"},
        ("get_pipeline", (LAB,), {"module": "lab"}),
    ),
    (
        "pipelines",
        "AddPipelineStep",
        {"name": LAB, "step": pipelines_pb2.PipelineStep(id="a"), "generated": True, **EDIT},
        (
            "add_pipeline_step",
            (LAB, PipelineStep(id="a", enabled=False, parallel_safe=False)),
            {"generated": True, **EDIT},
        ),
    ),
    (
        "pipelines",
        "RefreshPipelineSteps",
        {"name": LAB, "steps": ["a"], "force": True, **EDIT},
        ("refresh_pipeline_steps", (LAB,), {"steps": ("a",), "force": True, **EDIT}),
    ),
    (
        "pipelines",
        "RemovePipelineStep",
        {"name": LAB, "step": "a", **EDIT},
        ("remove_pipeline_step", (LAB, "a"), EDIT),
    ),
    (
        "pipelines",
        "MovePipelineStep",
        {"name": LAB, "step": "a", "position": 2, **EDIT},
        ("move_pipeline_step", (LAB, "a", 2), EDIT),
    ),
    (
        "pipeline_runs",
        "StartPipelineRun",
        {"file": LAB, "module": "m", "steps": ["a"], "refresh": True, **MUTATION},
        (
            "start_pipeline_run",
            (LAB,),
            {"module": "m", "steps": ("a",), "refresh": True, "allow_stale": False, **MUTATION},
        ),
    ),
    (
        "pipeline_runs",
        "RerunPipeline",
        {"name": "x1", **MUTATION},
        ("rerun_pipeline", (EXECUTION,), MUTATION),
    ),
    (
        "pipeline_runs",
        "ResumePipelineRun",
        {"name": "x1", "allow_stale": True, **MUTATION},
        ("resume_pipeline_run", (EXECUTION,), {"allow_stale": True, **MUTATION}),
    ),
    (
        "pipeline_runs",
        "RetryPipelineStep",
        {"name": "x1", "step": "a", **MUTATION},
        ("retry_pipeline_step", (EXECUTION, "a"), MUTATION),
    ),
    ("pipeline_runs", "GetPipelineRun", {"name": "x1"}, ("get_pipeline_run", (EXECUTION,), {})),
    (
        "pipeline_runs",
        "ListPipelineRuns",
        {"file": LAB, **PAGE},
        ("list_pipeline_runs", (), {"file": LAB, **PAGE}),
    ),
    (
        "pipeline_runs",
        "WatchPipelineRun",
        {"name": "x1", "after_sequence": 3},
        ("watch_pipeline_run", (EXECUTION,), {"after_sequence": 3}),
    ),
    (
        "pipeline_runs",
        "CancelPipelineRun",
        {"name": "x1", "step": "a", "grace_seconds": 0, **MUTATION},
        ("cancel_pipeline_run", (EXECUTION,), {"step": "a", "grace_seconds": 0, **MUTATION}),
    ),
    (
        "pipeline_runs",
        "ReadPipelineRunLog",
        {"name": "x1", "step": "a", "follow": True},
        ("read_pipeline_run_log", (EXECUTION,), {"step": "a", "follow": True}),
    ),
    ("hosts", "ListHosts", PAGE, ("list_hosts", (), PAGE)),
    ("hosts", "GetHost", {"name": "127.0.0.1"}, ("get_host", ("hosts/127.0.0.1",), {})),
    (
        "doctor",
        "Diagnose",
        {"app": "apps/flights", "hosts": ["h1"]},
        ("diagnose", (Diagnose(app="flights", hosts=("h1",)),), {}),
    ),
    (
        "hosts",
        "CreateHost",
        {"address": "h", "user": "u", "port": 22, "identity_file": "/k", **MUTATION},
        (
            "create_host",
            ("h",),
            {
                "user": "u",
                "port": 22,
                "identity_file": "/k",
                "trust_fingerprint": "",
                **MUTATION,
            },
        ),
    ),
    (
        "hosts",
        "TrustHost",
        {"name": "h", "fingerprint": "SHA256:x", **MUTATION},
        ("trust_host", ("hosts/h", "SHA256:x"), MUTATION),
    ),
    (
        "hosts",
        "AuthorizeHost",
        {"name": "h", "password": "p", **MUTATION},
        ("authorize_host", ("hosts/h", "p"), MUTATION),
    ),
    ("hosts", "CheckHost", {"name": "h", **MUTATION}, ("check_host", ("hosts/h",), MUTATION)),
    (
        "hosts",
        "DrainHost",
        {"name": "h", "etag": "e", **MUTATION},
        ("drain_host", ("hosts/h",), {"etag": "e", **MUTATION}),
    ),
    (
        "hosts",
        "ResumeHost",
        {"name": "h", "etag": "e", **MUTATION},
        ("resume_host", ("hosts/h",), {"etag": "e", **MUTATION}),
    ),
    (
        "hosts",
        "DeleteHost",
        {"name": "h", "etag": "e", **MUTATION},
        ("delete_host", ("hosts/h",), {"etag": "e", **MUTATION}),
    ),
    ("daemon", "GetDaemon", {}, ("get_daemon", (), {})),
    ("daemon", "StopDaemon", MUTATION, ("stop_daemon", (), MUTATION)),
]


def call(channel: grpc.aio.Channel, service: str, method: str, request: dict[str, Any]) -> Any:
    messages, stub = MODULES[service]
    return getattr(stub(channel), method)(getattr(messages, f"{method}Request")(**request))


async def answers(pending: Any) -> list[Any]:
    if hasattr(pending, "__aiter__"):
        return [answer async for answer in pending]
    return [await pending]


@pytest.mark.parametrize(
    ("service", "method", "request_fields", "asked"),
    CALLS,
    ids=[method for _, method, _, _ in CALLS],
)
async def test_a_request_reaches_the_core(
    channel: grpc.aio.Channel,
    services: Services,
    service: str,
    method: str,
    request_fields: dict[str, Any],
    asked: tuple[str, tuple[Any, ...], dict[str, Any]],
) -> None:
    services.runs.finish.set()
    got = await answers(call(channel, service, method, request_fields))
    assert getattr(services, service).calls == [asked]
    assert all(answer.ByteSize() for answer in got)


def test_no_method_is_left_out() -> None:
    served = {
        (name, method.name)
        for name, (messages, _) in MODULES.items()
        for service in messages.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert {(service, method) for service, method, _, _ in CALLS} == served


async def test_what_is_absent_stays_open(channel: grpc.aio.Channel, services: Services) -> None:
    services.runs.finish.set()
    await answers(call(channel, "runs", "StartRun", {"app": "flights"}))
    await answers(call(channel, "runs", "WatchRun", {"name": "r1"}))
    await answers(call(channel, "runs", "CancelRun", {"name": "r1"}))
    started, watched, cancelled = services.runs.calls
    assert started[1] == (StartRun(app="flights"),)
    assert watched[2] == {"after_sequence": 0, "verbose": None}
    assert cancelled[2] == {"grace_seconds": None, "request_id": "", "validate_only": False}


async def test_a_watch_is_snapshot_events_snapshot(
    channel: grpc.aio.Channel, services: Services
) -> None:
    services.runs.finish.set()
    got = await answers(call(channel, "runs", "WatchRun", {"name": "r1"}))
    assert [(each.WhichOneof("update"), each.sequence) for each in got] == [
        ("snapshot", 0),
        ("event", 1),
        ("snapshot", 1),
    ]


async def test_a_page_carries_its_token(channel: grpc.aio.Channel) -> None:
    (page,) = await answers(call(channel, "apps", "ListApps", {}))
    assert [app.name for app in page.apps] == ["apps/flights_project"]
    assert page.next_page_token == "more"


MUTATIONS = [
    (service, method, fields) for service, method, fields, _ in CALLS if "request_id" in fields
]
LISTS = [(service, method, fields) for service, method, fields, _ in CALLS if "page_size" in fields]


async def refused(channel: grpc.aio.Channel, service: str, method: str, request: Any) -> AgiError:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await answers(call(channel, service, method, request))
    assert failure.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return from_rpc(failure.value)


@pytest.mark.parametrize(("service", "method", "request_fields"), MUTATIONS)
async def test_a_request_id_is_a_uuid(
    channel: grpc.aio.Channel, services: Services, service: str, method: str, request_fields: Any
) -> None:
    wrong = {**request_fields, "request_id": "again"}
    error = await refused(channel, service, method, wrong)
    assert (error.code, error.where) == ("REQUEST_INVALID", "request_id")
    assert getattr(services, service).calls == []


async def test_a_request_id_has_one_spelling(channel: grpc.aio.Channel, services: Services) -> None:
    for spelling in (ID, ID.upper(), ID.replace("-", ""), f"{{{ID}}}", uuid.UUID(ID).urn):
        await answers(call(channel, "daemon", "StopDaemon", {"request_id": spelling}))
    assert {asked[2]["request_id"] for asked in services.daemon.calls} == {ID}


@pytest.mark.parametrize(("service", "method", "request_fields"), LISTS)
async def test_a_page_size_is_not_negative(
    channel: grpc.aio.Channel, service: str, method: str, request_fields: Any
) -> None:
    error = await refused(channel, service, method, {**request_fields, "page_size": -1})
    assert (error.code, error.where) == ("REQUEST_INVALID", "page_size")


@pytest.mark.parametrize(
    ("service", "method", "request_fields", "code"),
    [
        ("runs", "WatchRun", {"name": "r1", "after_sequence": -1}, "REQUEST_INVALID"),
        ("runs", "WatchRun", {"name": "r1", "verbose": 4}, "INVALID_INPUT"),
        ("runs", "WatchRun", {}, "REQUEST_INVALID"),
        ("runs", "StartRun", {"app": "f", "verbose": -1}, "INVALID_INPUT"),
        ("runs", "StartRun", {"app": "f", "mode": 16}, "MODE_INVALID"),
        ("runs", "StartRun", {"app": ""}, "REQUEST_INVALID"),
        ("runs", "StartRun", {"app": "f", "selection": {"workers": {"h": 0}}}, "SLOTS_INVALID"),
        ("runs", "StartRun", {"app": "f", "selection": {"workers": {"h": -1}}}, "SLOTS_INVALID"),
        ("runs", "CancelRun", {"name": "r1", "grace_seconds": -1}, "REQUEST_INVALID"),
        ("runs", "CancelRun", {"name": "r1", "grace_seconds": float("nan")}, "REQUEST_INVALID"),
        ("runs", "GetRun", {"name": "plans/p1"}, "REQUEST_INVALID"),
        ("runs", "ListRuns", {"states": [0]}, "REQUEST_INVALID"),
        ("plans", "ListPlanPartitions", {}, "REQUEST_INVALID"),
        ("apps", "GetApp", {}, "REQUEST_INVALID"),
        ("apps", "RegisterApp", {"path": "apps/flights"}, "REQUEST_INVALID"),
        ("apps", "CreateApp", {"directory": "/a"}, "REQUEST_INVALID"),
        ("apps", "CreateApp", {"app_id": "a", "directory": "."}, "REQUEST_INVALID"),
        ("snippets", "RenderSnippet", {"app": "f"}, "REQUEST_INVALID"),
    ],
)
async def test_what_the_wire_forbids(
    channel: grpc.aio.Channel,
    services: Services,
    service: str,
    method: str,
    request_fields: Any,
    code: str,
) -> None:
    assert (await refused(channel, service, method, request_fields)).code == code
    assert getattr(services, service).calls == []
