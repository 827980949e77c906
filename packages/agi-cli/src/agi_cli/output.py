"""Results as JSON: protobuf's JSON mapping of the API's own messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from agi_cli.listing import Listing
from agi_cluster.api.v1 import (
    apps_pb2,
    benchmarks_pb2,
    hosts_pb2,
    pipeline_runs_pb2,
    plans_pb2,
    releases_pb2,
    runs_pb2,
)
from agi_cluster.model.app import App, AppSettings
from agi_cluster.model.benchmark import Benchmark
from agi_cluster.model.daemon import Backup, DaemonInfo
from agi_cluster.model.diagnosis import Diagnosis
from agi_cluster.model.host import Host
from agi_cluster.model.installation import Installation
from agi_cluster.model.modes import AppModes
from agi_cluster.model.pipeline import Pipeline
from agi_cluster.model.pipeline_run import PipelineRun
from agi_cluster.model.plan import Plan, PlanFinding, PlannedPartition
from agi_cluster.model.plan_diff import PlanDiff
from agi_cluster.model.pruning import Pruning
from agi_cluster.model.release import Release, ReleasePruning
from agi_cluster.model.run import Run, RunPartition
from agi_cluster.model.snippet import Snippet, SnippetVerdict
from agi_cluster.wire.app import app_to_wire, settings_to_wire
from agi_cluster.wire.benchmark import benchmark_to_wire
from agi_cluster.wire.daemon import backup_to_wire, daemon_to_wire
from agi_cluster.wire.diagnosis import diagnosis_to_wire
from agi_cluster.wire.host import host_to_wire
from agi_cluster.wire.installation import installation_to_wire
from agi_cluster.wire.json_value import struct_from_wire, value_from_wire
from agi_cluster.wire.modes import modes_to_wire
from agi_cluster.wire.pipeline import pipeline_to_wire
from agi_cluster.wire.pipeline_run import pipeline_run_to_wire
from agi_cluster.wire.plan import finding_to_wire, plan_to_wire, planned_partition_to_wire
from agi_cluster.wire.plan_diff import diff_to_wire
from agi_cluster.wire.pruning import pruning_to_wire
from agi_cluster.wire.release import release_pruning_to_wire, release_to_wire
from agi_cluster.wire.run import run_to_wire
from agi_cluster.wire.run_partition import run_partition_to_wire
from agi_cluster.wire.snippet import snippet_to_wire, verdict_to_wire

_MESSAGES: dict[type, Callable[[Any], Message]] = {
    App: app_to_wire,
    AppModes: modes_to_wire,
    AppSettings: settings_to_wire,
    Backup: backup_to_wire,
    Benchmark: benchmark_to_wire,
    DaemonInfo: daemon_to_wire,
    Diagnosis: diagnosis_to_wire,
    Host: host_to_wire,
    Installation: installation_to_wire,
    Pipeline: pipeline_to_wire,
    PipelineRun: pipeline_run_to_wire,
    Plan: plan_to_wire,
    PlannedPartition: planned_partition_to_wire,
    PlanDiff: diff_to_wire,
    PlanFinding: finding_to_wire,
    Pruning: pruning_to_wire,
    Release: release_to_wire,
    ReleasePruning: release_pruning_to_wire,
    Run: run_to_wire,
    RunPartition: run_partition_to_wire,
    Snippet: snippet_to_wire,
    SnippetVerdict: verdict_to_wire,
}

_LISTS: dict[type, tuple[Callable[..., Message], str]] = {
    App: (apps_pb2.ListAppsResponse, "apps"),
    Benchmark: (benchmarks_pb2.ListBenchmarksResponse, "benchmarks"),
    Host: (hosts_pb2.ListHostsResponse, "hosts"),
    PipelineRun: (pipeline_runs_pb2.ListPipelineRunsResponse, "pipeline_runs"),
    Plan: (plans_pb2.ListPlansResponse, "plans"),
    PlanFinding: (plans_pb2.LintPlanResponse, "findings"),
    PlannedPartition: (plans_pb2.ListPlanPartitionsResponse, "partitions"),
    Release: (releases_pb2.ListReleasesResponse, "releases"),
    Run: (runs_pb2.ListRunsResponse, "runs"),
    RunPartition: (runs_pb2.ListRunPartitionsResponse, "partitions"),
}


_READERS: dict[str, Callable[[Any], Any]] = {
    "google.protobuf.Struct": struct_from_wire,
    "google.protobuf.Value": value_from_wire,
}
"""What apps say, of which the API has no list."""


def json_text(value: object) -> str:
    """A resource, or a `Listing` as the response of its list method, in JSON.

    Fields that hold their default are there too: a mode of 0 is a fact.
    """
    message = _message(value)
    plain = MessageToDict(message, always_print_fields_with_no_presence=True)
    return json.dumps(_with_values(message, plain), indent=2, ensure_ascii=False)


def _with_values(message: Message, plain: dict[str, Any]) -> dict[str, Any]:
    """A message as JSON has it, with apps' own values as they are everywhere else.

    protobuf would write their integers as 3.0, and the keys of their objects in any order.
    """
    for field, value in message.ListFields():
        if field.message_type is None or field.json_name not in plain:
            continue
        shown = plain[field.json_name]
        if reader := _READERS.get(field.message_type.full_name):
            plain[field.json_name] = reader(value)
        elif isinstance(shown, list):
            for each, its_own in zip(value, shown, strict=True):
                _with_values(each, its_own)
        elif isinstance(shown, dict) and not field.message_type.GetOptions().map_entry:
            _with_values(value, shown)
    return plain


def _message(value: object) -> Message:
    if isinstance(value, Listing):
        response, field = _LISTS[value.kind]
        items = [_MESSAGES[value.kind](item) for item in value.items]
        token = {"next_page_token": value.next_page_token} if value.next_page_token else {}
        return response(**{field: items}, **token)
    return _MESSAGES[type(value)](value)
