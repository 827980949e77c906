"""What a step made through the daemon, looked up when it ends and stopped when it is stopped."""

from __future__ import annotations

from attrs import frozen

from agi_cluster.model.pipeline_run import LinkedResource
from agi_cluster.model.services import InstallationService, PlanService, RunService
from agi_daemon.pipelines import pipeline_run_store
from agi_daemon.store.store import Store


@frozen(kw_only=True)
class Links:
    """The resources of steps."""

    store: Store
    runs: RunService
    plans: PlanService
    installations: InstallationService

    async def of(self, token: str) -> tuple[LinkedResource, ...]:
        """What was made with a token, in order, as it is now."""
        made = self.store.read(lambda db: pipeline_run_store.resources(db, token))
        found = [await self._linked(each.method, each.resource) for each in made]
        return tuple(each for each in found if each is not None)

    async def cancel_runs(self, token: str, grace_s: float) -> None:
        """Ask all runs that were started with a token to stop; settled ones stay as they are."""
        made = self.store.read(lambda db: pipeline_run_store.resources(db, token))
        for each in made:
            if each.method == "StartRun":
                await self.runs.cancel_run(each.resource, grace_seconds=grace_s)

    async def _linked(self, method: str, resource: str) -> LinkedResource | None:
        if method == "StartRun":
            run = await self.runs.get_run(resource)
            return LinkedResource(
                name=f"runs/{run.id}", state=run.state.value, plan=run.plan, release=run.release
            )
        if method == "CreatePlan":
            plan = await self.plans.get_plan(resource)
            return LinkedResource(name=plan.name, plan=plan.name)
        if method == "CreateInstallation":
            made = await self.installations.get_installation(resource)
            return LinkedResource(
                name=f"installations/{made.id}", state=made.state.value, release=made.release
            )
        return None
