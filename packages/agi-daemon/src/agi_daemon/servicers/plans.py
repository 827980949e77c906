"""``agi.v1.PlanService``."""

from __future__ import annotations

from agi_cluster.api.v1 import plans_pb2 as pb
from agi_cluster.api.v1 import plans_pb2_grpc
from agi_cluster.model.services import PlanService
from agi_cluster.wire.name import resource_name
from agi_cluster.wire.plan import finding_to_wire, plan_to_wire, planned_partition_to_wire
from agi_cluster.wire.plan_diff import diff_to_wire
from agi_cluster.wire.plan_edit import edits_from_wire
from agi_cluster.wire.requests import create_plan_from_wire
from agi_daemon.interceptors.surround import Context
from agi_daemon.servicers import fields

_COLLECTION = "plans"


class PlanServicer(plans_pb2_grpc.PlanServiceServicer):
    """Offers the plans of a core."""

    def __init__(self, plans: PlanService) -> None:
        self._plans = plans

    async def CreatePlan(self, request: pb.CreatePlanRequest, context: Context) -> pb.Plan:
        wanted = create_plan_from_wire(request)
        return plan_to_wire(await self._plans.create_plan(wanted, **fields.mutation(request)))

    async def GetPlan(self, request: pb.GetPlanRequest, context: Context) -> pb.Plan:
        return plan_to_wire(await self._plans.get_plan(resource_name(_COLLECTION, request.name)))

    async def ListPlans(
        self, request: pb.ListPlansRequest, context: Context
    ) -> pb.ListPlansResponse:
        page = await self._plans.list_plans(app=request.app, **fields.page(request))
        plans = [plan_to_wire(plan) for plan in page.items]
        return pb.ListPlansResponse(plans=plans, next_page_token=page.next_page_token)

    async def ListPlanPartitions(
        self, request: pb.ListPlanPartitionsRequest, context: Context
    ) -> pb.ListPlanPartitionsResponse:
        page = await self._plans.list_plan_partitions(
            resource_name(_COLLECTION, request.parent), **fields.page(request)
        )
        return pb.ListPlanPartitionsResponse(
            partitions=[planned_partition_to_wire(partition) for partition in page.items],
            next_page_token=page.next_page_token,
        )

    async def EditPlan(self, request: pb.EditPlanRequest, context: Context) -> pb.Plan:
        name = resource_name(_COLLECTION, request.name)
        edits = edits_from_wire(request.edits)
        more = fields.mutation(request)
        return plan_to_wire(await self._plans.edit_plan(name, edits, etag=request.etag, **more))

    async def ListPlanRevisions(
        self, request: pb.ListPlanRevisionsRequest, context: Context
    ) -> pb.ListPlanRevisionsResponse:
        page = await self._plans.list_plan_revisions(
            resource_name(_COLLECTION, request.parent), **fields.page(request)
        )
        plans = [plan_to_wire(plan) for plan in page.items]
        return pb.ListPlanRevisionsResponse(plans=plans, next_page_token=page.next_page_token)

    async def DiffPlans(self, request: pb.DiffPlansRequest, context: Context) -> pb.PlanDiff:
        before = resource_name(_COLLECTION, request.before)
        after = resource_name(_COLLECTION, request.after)
        limit = fields.not_negative(request.limit, "limit")
        return diff_to_wire(await self._plans.diff_plans(before, after, limit=limit))

    async def LintPlan(self, request: pb.LintPlanRequest, context: Context) -> pb.LintPlanResponse:
        found = await self._plans.lint_plan(resource_name(_COLLECTION, request.name))
        return pb.LintPlanResponse(findings=[finding_to_wire(finding) for finding in found])
