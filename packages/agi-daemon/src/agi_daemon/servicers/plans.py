"""``agi.v1.PlanService``."""

from __future__ import annotations

from agi_cluster.api.v1 import plans_pb2 as pb
from agi_cluster.api.v1 import plans_pb2_grpc
from agi_cluster.model.services import PlanService
from agi_cluster.wire.name import resource_name
from agi_cluster.wire.plan import plan_to_wire, planned_partition_to_wire
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
