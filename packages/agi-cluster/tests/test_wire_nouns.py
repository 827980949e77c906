"""Every noun survives the trip through protobuf."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agi_cluster.api.v1 import plans_pb2
from agi_cluster.model.app import App, AppSettings, SettingChange
from agi_cluster.model.daemon import DaemonInfo
from agi_cluster.model.diagnosis import (
    Diagnosis,
    Family,
    Finding,
    Rung,
    Severity,
    Step,
)
from agi_cluster.model.diagnosis import StepState as RungState
from agi_cluster.model.event import Event
from agi_cluster.model.host import Host, HostState
from agi_cluster.model.installation import HostInstallation, Installation, InstallationState
from agi_cluster.model.pipeline import Freshness, Pipeline, PipelineStep, StepState
from agi_cluster.model.pipeline_run import (
    LinkedResource,
    PipelineRun,
    PipelineRunState,
    StepExecution,
    StepOutput,
)
from agi_cluster.model.plan import Plan, PlanFinding, PlannedPartition, PlanSlot
from agi_cluster.model.plan_diff import MovedPartition, PlanDiff, ReweightedPartition
from agi_cluster.model.plan_edit import Move, Pin, Rebalance, Swap, Undo, Unpin
from agi_cluster.model.requests import CreateInstallation, CreatePlan, StalePlan, StartRun
from agi_cluster.model.run import (
    PartitionState,
    Run,
    RunPartition,
    RunPaths,
    RunProgress,
    RunSlot,
    RunState,
    SnippetOrigin,
)
from agi_cluster.model.selection import Selection
from agi_cluster.model.snippet import (
    Snippet,
    SnippetFacts,
    SnippetKind,
    SnippetVerdict,
    Staleness,
)
from agi_cluster.wire import app as wire_app
from agi_cluster.wire import installation as wire_installation
from agi_cluster.wire import plan as wire_plan
from agi_cluster.wire import plan_diff as wire_diff
from agi_cluster.wire import plan_edit as wire_edit
from agi_cluster.wire import requests as wire_requests
from agi_cluster.wire import run as wire_run
from agi_cluster.wire.daemon import daemon_from_wire, daemon_to_wire
from agi_cluster.wire.diagnosis import (
    diagnosis_from_wire,
    diagnosis_to_wire,
    told_from_wire,
    told_to_wire,
)
from agi_cluster.wire.event import event_from_wire, event_to_wire
from agi_cluster.wire.host import host_from_wire, host_to_wire
from agi_cluster.wire.name import app_reference, plan_revision, resource_id, resource_name
from agi_cluster.wire.pipeline import pipeline_from_wire, pipeline_to_wire
from agi_cluster.wire.pipeline_run import pipeline_run_from_wire, pipeline_run_to_wire
from agi_cluster.wire.run_partition import run_partition_from_wire, run_partition_to_wire
from agi_cluster.wire.selection import selection_from_wire, selection_to_wire
from agi_cluster.wire.snippet import (
    snippet_from_wire,
    snippet_to_wire,
    verdict_from_wire,
    verdict_to_wire,
)
from agi_env.errors import (
    AgiError,
    DiskFullError,
    InvalidModeError,
    PartitionFailedError,
    RequestInvalidError,
    SlotsInvalidError,
)
from agi_env.mode import Mode
from agi_env.scheduler_address import is_host

text = st.text(max_size=8)
names = st.text("abcdefghijklmnopqrstuvwxyz0123456789_-", min_size=1, max_size=8)
texts = st.lists(text, max_size=3).map(tuple)
counts = st.integers(0, 2**31 - 1)
numbers = st.floats(allow_nan=False, allow_infinity=False)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
modes = st.integers(0, 15).map(Mode)
objects = st.dictionaries(text, text | st.booleans() | counts | st.none(), max_size=3)
errors = st.sampled_from([DiskFullError("no room", where="/x"), PartitionFailedError("it raised")])
optional = st.none() | moments
selections = st.builds(
    Selection,
    scheduler=text,
    workers=st.dictionaries(names.filter(is_host), st.integers(1, 100), max_size=3),
    cores_per_slot=counts,
)


def bare(value: object) -> object:
    """The value with its errors as plain facts: exceptions compare by identity."""
    if isinstance(value, AgiError):
        return value.code, value.to_metadata()
    if isinstance(value, tuple):
        return tuple(bare(item) for item in value)
    if attrs.has(type(value)):
        return type(value), {
            f.name: bare(getattr(value, f.name)) for f in attrs.fields(type(value))
        }
    return value


apps = st.builds(App, name=names, target=text, path=text, settings_path=text, requires_python=text)
settings = st.builds(
    AppSettings,
    app=names,
    etag=text,
    digest=text,
    path=text,
    text=text,
    args=objects,
    mode=modes,
    modes_enabled=modes,
    cluster_enabled=st.booleans(),
    pool=st.booleans(),
    cython=st.booleans(),
    rapids=st.booleans(),
    verbose=counts,
    selection=selections,
    partition_timeout=numbers,
    run_timeout=numbers,
    explanation=texts,
)
hosts = st.builds(
    Host,
    address=names,
    cores=counts,
    state=st.sampled_from(HostState),
    reason=text,
    memory_bytes=st.integers(0, 2**63 - 1),
    python_version=text,
    platform=text,
    uv_version=text,
    leased_cores=counts,
    check_time=optional,
    seen_time=optional,
    create_time=optional,
    drained=st.booleans(),
    user=text,
    port=st.integers(0, 65535),
    fingerprint=text,
    offered_fingerprint=text,
    identity_file=text,
    pythons=texts,
    gpus=texts,
    clock_offset=numbers,
    disk_free_bytes=st.integers(0, 2**63 - 1),
    root=text,
    etag=text,
)
installations = st.builds(
    Installation,
    id=names,
    app=names,
    state=st.sampled_from(InstallationState),
    modes_enabled=modes,
    create_time=moments,
    release=text,
    changed_inputs=texts,
    hosts=st.lists(
        st.builds(
            HostInstallation,
            host=names,
            state=st.sampled_from(InstallationState),
            build=text,
            shipped_wheels=texts,
            shipped_bytes=st.integers(0, 2**63 - 1),
            seconds=numbers,
            error=st.none() | errors,
        ),
        max_size=2,
    ).map(tuple),
    end_time=optional,
    error=st.none() | errors,
)
slots = st.builds(
    PlanSlot,
    index=counts,
    host=names,
    cores=counts,
    speed=numbers,
    load=numbers,
    executors=counts,
    timings=counts,
)
findings = st.builds(
    PlanFinding,
    code=names,
    message=text,
    suggestion=text,
    numbers=st.dictionaries(names, numbers, max_size=2),
)
moved = st.builds(
    MovedPartition,
    id=text,
    weight=numbers,
    before=text,
    after=text,
    pinned_before=st.booleans(),
    pinned_after=st.booleans(),
)
diffs = st.builds(
    PlanDiff,
    before=text,
    after=text,
    moved=st.lists(moved, max_size=2).map(tuple),
    added=st.lists(text, max_size=2).map(tuple),
    removed=st.lists(text, max_size=2).map(tuple),
    reweighted=st.lists(
        st.builds(ReweightedPartition, id=text, before=numbers, after=numbers), max_size=2
    ).map(tuple),
    moved_count=counts,
    added_count=counts,
    removed_count=counts,
    reweighted_count=counts,
    finish_before=numbers,
    finish_after=numbers,
)
edits = st.one_of(
    st.builds(Move, partitions=st.lists(text, max_size=2).map(tuple), slot=counts),
    st.builds(Swap, first=text, second=text),
    st.builds(Pin, partitions=st.lists(text, max_size=2).map(tuple)),
    st.builds(Unpin, partitions=st.lists(text, max_size=2).map(tuple)),
    st.builds(Rebalance, without=st.lists(text, max_size=2).map(tuple)),
    st.builds(Undo, revision=counts),
)
plans = st.builds(
    Plan,
    id=names,
    revision=st.integers(1, 2**31 - 1),
    etag=text,
    app=names,
    mode=modes,
    scheduler=text,
    slots=st.lists(slots, max_size=2).map(tuple),
    partition_count=counts,
    total_weight=numbers,
    predicted_finish=numbers,
    lower_bound=numbers,
    selection_digest=text,
    settings_digest=text,
    digest=text,
    create_time=moments,
    args=objects,
    findings=st.lists(findings, max_size=2).map(tuple),
    slot_count=counts,
    pinned_count=counts,
    change=text,
    base_revision=counts,
    weight_per_second=numbers,
)
planned = st.builds(
    PlannedPartition,
    index=counts,
    id=text,
    label=text,
    weight=numbers,
    payload=objects | text | st.none(),
    slot=counts,
    host=names,
    pinned=st.booleans(),
)
run_slots = st.builds(
    RunSlot, index=counts, host=names, cores=counts, partitions=counts, busy_seconds=numbers
)
runs = st.builds(
    Run,
    id=names,
    app=names,
    mode=modes,
    state=st.sampled_from(RunState),
    target=st.sampled_from(RunState),
    create_time=moments,
    plan=text,
    plan_digest=text,
    release=text,
    start_time=optional,
    end_time=optional,
    progress=st.builds(RunProgress, total=counts, succeeded=counts, weight_done=numbers),
    error=st.none() | errors,
    result=objects | text | st.none(),
    paths=st.builds(RunPaths, published=text, kept=text, run_directory=text),
    slots=st.lists(run_slots, max_size=2).map(tuple),
    warnings=texts,
    epoch=counts,
    waiting_for=text,
    args=objects,
    installed=text,
    verbose=st.integers(0, 3),
)
run_partitions = st.builds(
    RunPartition,
    id=text,
    label=text,
    weight=numbers,
    state=st.sampled_from(PartitionState),
    slot=counts,
    attempts=counts,
    seconds=numbers,
    cpu_seconds=numbers,
    error=st.none() | errors,
    traceback=text,
    start_time=optional,
)
snippets = st.builds(
    Snippet, app=names, kind=st.sampled_from(SnippetKind), text=text, api=text, settings_digest=text
)
snippet_facts = st.builds(
    SnippetFacts,
    api=text,
    kind=st.sampled_from(SnippetKind),
    app=names,
    settings=text,
    selection=text,
    sources=text,
    plan=text,
    code=text,
)
stalenesses = st.lists(st.builds(Staleness, field=text, detail=text), max_size=2).map(tuple)
verdicts = st.builds(SnippetVerdict, facts=snippet_facts, stale=stalenesses)
pipelines = st.builds(
    Pipeline,
    file=text,
    module=text,
    etag=text,
    serial=st.booleans(),
    latest_run=st.just("") | names,
    steps=st.lists(
        st.builds(
            PipelineStep,
            id=text,
            number=counts,
            deps=texts,
            description=text,
            question=text,
            model=text,
            code=text,
            environment=text,
            engine=text,
            enabled=st.booleans(),
            outputs=texts,
            skip_if_outputs_exist=st.booleans(),
            parallel_safe=st.booleans(),
            timeout=numbers,
            origin=st.none() | snippet_facts,
            edited=st.booleans(),
            freshness=st.sampled_from(Freshness),
            stale=stalenesses,
            latest_state=st.none() | st.sampled_from(StepState),
        ),
        max_size=2,
    ).map(tuple),
)
pipeline_runs = st.builds(
    PipelineRun,
    id=names,
    file=text,
    module=text,
    state=st.sampled_from(PipelineRunState),
    target=st.sampled_from(PipelineRunState),
    etag=text,
    create_time=moments,
    end_time=optional,
    error=st.none() | errors,
    origin=st.just("") | names,
    warnings=texts,
    steps=st.lists(
        st.builds(
            StepExecution,
            step=text,
            description=text,
            engine=text,
            environment=text,
            code=text,
            code_digest=text,
            deps=texts,
            origin=st.none() | snippet_facts,
            state=st.sampled_from(StepState),
            attempt=counts,
            starts=counts,
            start_time=optional,
            end_time=optional,
            exit_code=st.none() | st.integers(0, 255),
            error=st.none() | errors,
            reason=text,
            linked=st.lists(
                st.builds(
                    LinkedResource,
                    name=text,
                    state=text,
                    plan=text,
                    release=text,
                    forgotten=st.booleans(),
                ),
                max_size=2,
            ).map(tuple),
            outputs=st.lists(
                st.builds(
                    StepOutput, path=text, place=text, sha256=text, bytes=counts, files=counts
                ),
                max_size=2,
            ).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
)
daemons = st.builds(
    DaemonInfo,
    version=text,
    api=text,
    pid=counts,
    start_time=moments,
    state_directory=text,
    log_path=text,
    schema=counts,
    active_runs=counts,
    address=text,
)
events = st.builds(
    Event,
    sequence=st.integers(1, 2**63 - 1),
    time=moments,
    kind=names,
    data=objects,
    verbosity=st.integers(0, 3),
)
findings = st.builds(
    Finding,
    code=text,
    severity=st.sampled_from(Severity),
    family=st.sampled_from(Family),
    rung=st.sampled_from(Rung),
    host=text,
    what=text,
    remedy=text,
)
steps = st.builds(
    Step,
    host=text,
    rung=st.sampled_from(Rung),
    state=st.sampled_from(RungState),
    evidence=text,
    seconds=st.floats(0, 100),
    findings=st.lists(findings, max_size=2).map(tuple),
)
diagnoses = st.builds(
    Diagnosis,
    app=st.just("") | names,
    hosts=st.lists(text, max_size=2).map(tuple),
    steps=st.lists(steps, max_size=2).map(tuple),
    seconds=st.floats(0, 100),
)
changes = st.builds(SettingChange, key=text, value=text, unset=st.booleans())

TRIPS = {
    "app": (apps, wire_app.app_to_wire, wire_app.app_from_wire),
    "settings": (settings, wire_app.settings_to_wire, wire_app.settings_from_wire),
    "change": (changes, wire_app.setting_change_to_wire, wire_app.setting_change_from_wire),
    "host": (hosts, host_to_wire, host_from_wire),
    "installation": (
        installations,
        wire_installation.installation_to_wire,
        wire_installation.installation_from_wire,
    ),
    "plan": (plans, wire_plan.plan_to_wire, wire_plan.plan_from_wire),
    "plan difference": (diffs, wire_diff.diff_to_wire, wire_diff.diff_from_wire),
    "planned partition": (
        planned,
        wire_plan.planned_partition_to_wire,
        wire_plan.planned_partition_from_wire,
    ),
    "run": (runs, wire_run.run_to_wire, wire_run.run_from_wire),
    "run partition": (run_partitions, run_partition_to_wire, run_partition_from_wire),
    "snippet": (snippets, snippet_to_wire, snippet_from_wire),
    "verdict": (verdicts, verdict_to_wire, verdict_from_wire),
    "pipeline": (pipelines, pipeline_to_wire, pipeline_from_wire),
    "pipeline_run": (pipeline_runs, pipeline_run_to_wire, pipeline_run_from_wire),
    "daemon": (daemons, daemon_to_wire, daemon_from_wire),
    "event": (events, event_to_wire, event_from_wire),
    "diagnosis": (diagnoses, diagnosis_to_wire, diagnosis_from_wire),
    "told": (steps | diagnoses, told_to_wire, told_from_wire),
    "selection": (selections, selection_to_wire, selection_from_wire),
}


@pytest.mark.parametrize("noun", TRIPS)
@given(data=st.data())
def test_a_noun_survives_the_trip(noun, data):
    values, to_wire, from_wire = TRIPS[noun]
    value = data.draw(values)
    message = type(to_wire(value)).FromString(to_wire(value).SerializeToString())
    assert bare(from_wire(message)) == bare(value)


REQUESTS = {
    "installation": (
        CreateInstallation(app="x", selection=Selection(workers={"h": 2}), modes_enabled=Mode(0)),
        wire_requests.create_installation_to_wire,
        wire_requests.create_installation_from_wire,
    ),
    "plan": (
        CreatePlan(
            app="/x/y_project",
            args={"n": 3},
            no_install=True,
            without=("h",),
            slots={"g": 4},
            rebase="plans/p",
        ),
        wire_requests.create_plan_to_wire,
        wire_requests.create_plan_from_wire,
    ),
    "run": (
        StartRun(
            app="x",
            mode=Mode(5),
            args={"n": 3, "files": ["a"]},
            plan="plans/p@2",
            snippet=SnippetOrigin(api="agi.snippet.v1", settings_digest="d"),
            verbose=0,
            stale_plan=StalePlan.PROCEED,
        ),
        wire_requests.start_run_to_wire,
        wire_requests.start_run_from_wire,
    ),
    "bare run": (
        StartRun(app="x"),
        wire_requests.start_run_to_wire,
        wire_requests.start_run_from_wire,
    ),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_survives_the_trip_with_what_is_absent(kind):
    value, to_wire, from_wire = REQUESTS[kind]
    message = to_wire(value, request_id="id", validate_only=True)
    assert (message.request_id, message.validate_only) == ("id", True)
    assert from_wire(type(message).FromString(message.SerializeToString())) == value


def test_requests_from_elsewhere_are_checked():
    message = wire_requests.start_run_to_wire(StartRun(app="x"), request_id="")
    message.mode = 16
    with pytest.raises(InvalidModeError):
        wire_requests.start_run_from_wire(message)
    message.mode = 1
    message.selection.workers["h"] = 0
    with pytest.raises(SlotsInvalidError):
        wire_requests.start_run_from_wire(message)
    message.app = ""
    with pytest.raises(RequestInvalidError):
        wire_requests.start_run_from_wire(message)


def test_states_that_are_unspecified_or_unknown_are_refused():
    for number in (0, 99):
        with pytest.raises(RequestInvalidError, match=r"agi\.v1\.Run\.State"):
            wire_run.run_states_from_wire([number])
    assert wire_run.run_states_from_wire([1, 9]) == (RunState.QUEUED, RunState.CANCELLED)


def test_names_come_with_and_without_their_collection():
    assert resource_id("runs", "runs/7") == resource_id("runs", "7") == "7"
    assert resource_name("hosts", "127.0.0.1") == "hosts/127.0.0.1"
    assert plan_revision("plans/p@3") == ("p", 3)
    assert plan_revision("p") == ("p", None)
    for name in ("", "runs/", "plans/7", "a/b"):
        with pytest.raises(RequestInvalidError):
            resource_id("runs", name)
    for name in ("p@", "p@0", "p@x", "@1"):
        with pytest.raises(RequestInvalidError):
            plan_revision(name)


def test_apps_are_named_in_three_forms():
    assert app_reference("apps/a_project") == app_reference("a_project") == "a_project"
    assert app_reference("apps/a_project/settings") == "a_project"
    assert app_reference("/srv/apps/a_project") == "/srv/apps/a_project"


@given(st.lists(edits, min_size=1, max_size=3))
def test_edits_survive_the_trip(made):
    assert wire_edit.edits_from_wire(wire_edit.edits_to_wire(made)) == tuple(made)


def test_no_edit_is_refused():
    for wrong in ([], [plans_pb2.PlanEdit()]):
        with pytest.raises(RequestInvalidError):
            wire_edit.edits_from_wire(wrong)
