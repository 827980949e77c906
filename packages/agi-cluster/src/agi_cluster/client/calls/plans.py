"""The calls of ``PlanService``."""

from __future__ import annotations

from collections.abc import Sequence

from agi_cluster.api.v1 import plans_pb2 as pb
from agi_cluster.api.v1.plans_pb2_grpc import PlanServiceStub
from agi_cluster.client.call import Call, new_request_id
from agi_cluster.client.deadlines import Pace
from agi_cluster.model.page import Page
from agi_cluster.model.plan import Plan, PlanFinding, PlannedPartition
from agi_cluster.model.plan_diff import PlanDiff
from agi_cluster.model.plan_edit import PlanEdit
from agi_cluster.model.requests import CreatePlan
from agi_cluster.wire.message import checked
from agi_cluster.wire.name import resource_name
from agi_cluster.wire.page import page_from_wire
from agi_cluster.wire.plan import (
    finding_from_wire,
    plan_from_wire,
    planned_partition_from_wire,
)
from agi_cluster.wire.plan_diff import diff_from_wire
from agi_cluster.wire.plan_edit import edits_to_wire
from agi_cluster.wire.requests import create_plan_to_wire


def create_plan(
    request: CreatePlan, *, request_id: str = "", validate_only: bool = False
) -> Call[Plan]:
    """Have the app name its partitions and place them."""
    message = create_plan_to_wire(
        request, request_id=new_request_id(request_id), validate_only=validate_only
    )
    return Call(
        stub=PlanServiceStub,
        rpc="CreatePlan",
        request=message,
        parse=plan_from_wire,
        pace=Pace.PLAN,
    )


def get_plan(name: str) -> Call[Plan]:
    """One plan, at its latest revision or at the named one."""
    request = checked(pb.GetPlanRequest)(name=resource_name("plans", name))
    return Call(stub=PlanServiceStub, rpc="GetPlan", request=request, parse=plan_from_wire)


def list_plans(*, page_size: int = 0, page_token: str = "", app: str = "") -> Call[Page[Plan]]:
    """A page of the plans, newest first."""
    request = checked(pb.ListPlansRequest)(page_size=page_size, page_token=page_token, app=app)
    return Call(stub=PlanServiceStub, rpc="ListPlans", request=request, parse=_page)


def list_plan_partitions(
    parent: str, *, page_size: int = 0, page_token: str = ""
) -> Call[Page[PlannedPartition]]:
    """A page of a plan's partitions, in plan order."""
    request = checked(pb.ListPlanPartitionsRequest)(
        parent=resource_name("plans", parent), page_size=page_size, page_token=page_token
    )
    return Call(stub=PlanServiceStub, rpc="ListPlanPartitions", request=request, parse=_partitions)


def edit_plan(
    name: str,
    edits: Sequence[PlanEdit],
    *,
    etag: str = "",
    request_id: str = "",
    validate_only: bool = False,
) -> Call[Plan]:
    """Make a new revision of a plan: the edits, one after another, all of them or none."""
    request = checked(pb.EditPlanRequest)(
        request_id=new_request_id(request_id),
        name=resource_name("plans", name),
        etag=etag,
        edits=edits_to_wire(edits),
        validate_only=validate_only,
    )
    return Call(
        stub=PlanServiceStub,
        rpc="EditPlan",
        request=request,
        parse=plan_from_wire,
        pace=Pace.CHANGE,
    )


def list_plan_revisions(
    parent: str, *, page_size: int = 0, page_token: str = ""
) -> Call[Page[Plan]]:
    """A page of a plan's revisions, newest first."""
    request = checked(pb.ListPlanRevisionsRequest)(
        parent=resource_name("plans", parent), page_size=page_size, page_token=page_token
    )
    return Call(stub=PlanServiceStub, rpc="ListPlanRevisions", request=request, parse=_revisions)


def diff_plans(before: str, after: str, *, limit: int = 0) -> Call[PlanDiff]:
    """What a later revision has otherwise than an earlier one, of one plan or of two."""
    request = checked(pb.DiffPlansRequest)(
        before=resource_name("plans", before), after=resource_name("plans", after), limit=limit
    )
    return Call(
        stub=PlanServiceStub,
        rpc="DiffPlans",
        request=request,
        parse=diff_from_wire,
        pace=Pace.CHANGE,
    )


def lint_plan(name: str) -> Call[tuple[PlanFinding, ...]]:
    """What is doubtful about a plan, with the settings and the hosts as they are now."""
    request = checked(pb.LintPlanRequest)(name=resource_name("plans", name))
    return Call(stub=PlanServiceStub, rpc="LintPlan", request=request, parse=_findings)


def _findings(response: pb.LintPlanResponse) -> tuple[PlanFinding, ...]:
    return tuple(finding_from_wire(finding) for finding in response.findings)


def _revisions(response: pb.ListPlanRevisionsResponse) -> Page[Plan]:
    return page_from_wire(response.plans, response.next_page_token, plan_from_wire)


def _page(response: pb.ListPlansResponse) -> Page[Plan]:
    return page_from_wire(response.plans, response.next_page_token, plan_from_wire)


def _partitions(response: pb.ListPlanPartitionsResponse) -> Page[PlannedPartition]:
    return page_from_wire(
        response.partitions, response.next_page_token, planned_partition_from_wire
    )
