"""What a step made through the daemon: looked up when it ends and again when somebody looks."""

from __future__ import annotations

from attrs import evolve, frozen

from agi_cluster.model.pipeline_run import LinkedResource, PipelineRun, StepExecution
from agi_cluster.model.run import RunState
from agi_cluster.model.services import InstallationService, PlanService, RunService
from agi_daemon.pipelines import pipeline_run_store
from agi_daemon.runs import cancelling, run_store
from agi_daemon.runs.cancelling import Untold
from agi_daemon.store.store import Store
from agi_env.errors import RunNotFoundError

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

    async def cancel_runs(self, token: str, grace_s: float) -> Untold:
        """Tell all runs that were started with a token to stop; settled ones stay as they are."""
        return await cancelling.tell_to_stop(self.runs, self._runs_of(token), grace_s)

    async def see_cancelled(self, token: str, grace_s: float) -> Untold:
        """As ``cancel_runs``, and again for as long as the disk is full."""
        return await cancelling.see_told(self.runs, self._runs_of(token), grace_s)

    def marked(self, run: PipelineRun) -> PipelineRun:
        """An execution whose steps say which of their runs are forgotten by now."""
        linked = (each.name for step in run.steps for each in step.linked)
        named = [name.removeprefix(_RUNS) for name in linked if name.startswith(_RUNS)]
        if not named:
            return run
        known = self.store.read(lambda db: run_store.known(db, named))
        gone = {f"{_RUNS}{run_id}" for run_id in named if run_id not in known}
        return evolve(run, steps=tuple(_marked(step, gone) for step in run.steps)) if gone else run

    def _runs_of(self, token: str) -> list[str]:
        made = self.store.read(lambda db: pipeline_run_store.resources(db, token))
        return [each.resource for each in made if each.method == "StartRun"]

    async def _linked(self, method: str, resource: str) -> LinkedResource | None:
        if method == "StartRun":
            return await self._linked_run(resource)
        if method == "CreatePlan":
            plan = await self.plans.get_plan(resource)
            return LinkedResource(name=plan.name, plan=plan.name)
        if method == "CreateInstallation":
            made = await self.installations.get_installation(resource)
            return LinkedResource(
                name=f"installations/{made.id}", state=made.state.value, release=made.release
            )
        return None

    async def _linked_run(self, run_id: str) -> LinkedResource:
        try:
            run = await self.runs.get_run(run_id)
        except RunNotFoundError:  # forgotten, which `marked` says
            return LinkedResource(name=f"{_RUNS}{run_id}")
        return LinkedResource(
            name=f"{_RUNS}{run.id}", state=run.state.value, plan=run.plan, release=run.release
        )


def is_cut_short(linked: LinkedResource) -> bool:
    """Whether it is a run that is to stop, or was stopped, before it came to an end of its own."""
    own_ends = (RunState.SUCCEEDED.value, RunState.FAILED.value)
    return linked.name.startswith(_RUNS) and linked.state not in (*own_ends, "")


def _marked(step: StepExecution, gone: set[str]) -> StepExecution:
    linked = (evolve(each, forgotten=each.name in gone) for each in step.linked)
    return evolve(step, linked=tuple(linked))
