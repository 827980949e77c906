"""What a step made through the daemon: looked up when it ends and again when somebody looks."""

from __future__ import annotations

from attrs import evolve, frozen

from agi_cluster.model.pipeline_run import LinkedResource, PipelineRun, StepExecution
from agi_cluster.model.services import InstallationService, PlanService, RunService
from agi_daemon.pipelines import pipeline_run_store
from agi_daemon.runs import run_store
from agi_daemon.store.store import Store

_RUNS = "runs/"


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

    def marked(self, run: PipelineRun) -> PipelineRun:
        """An execution whose steps say which of their runs are forgotten by now."""
        linked = (each.name for step in run.steps for each in step.linked)
        named = [name.removeprefix(_RUNS) for name in linked if name.startswith(_RUNS)]
        if not named:
            return run
        known = self.store.read(lambda db: run_store.known(db, named))
        gone = {f"{_RUNS}{run_id}" for run_id in named if run_id not in known}
        return evolve(run, steps=tuple(_marked(step, gone) for step in run.steps)) if gone else run

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


def _marked(step: StepExecution, gone: set[str]) -> StepExecution:
    linked = (evolve(each, forgotten=each.name in gone) for each in step.linked)
    return evolve(step, linked=tuple(linked))
