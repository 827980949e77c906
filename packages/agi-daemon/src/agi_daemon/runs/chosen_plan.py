"""The plan that a run was asked to execute, and whether it still fits: pure."""

from __future__ import annotations

from attrs import evolve, frozen

from agi_cluster.model.plan import Plan
from agi_cluster.model.requests import StalePlan, StartRun
from agi_daemon.apps.resolution import Resolution
from agi_daemon.planning.origin import PlanOrigin
from agi_daemon.planning.staleness import asked_as, asked_otherwise, changes_since, stale
from agi_env.errors import PlanStaleError


@frozen
class ChosenPlan:
    """A plan revision with what it was made from; None in plans of earlier versions."""

    plan: Plan
    origin: PlanOrigin | None

    def asked(self, request: StartRun) -> StartRun:
        """The call, with what it leaves open as it was said for the plan."""
        return asked_as(self.origin.request, request) if self.origin else request

    def fitting(
        self, request: StartRun, resolution: Resolution
    ) -> tuple[Resolution, tuple[str, ...]]:
        """What the run amounts to with this plan, and what a person should know of it.

        Args:
            request: The call as it was made.
            resolution: What it amounts to with the settings as they are.

        Raises:
            PlanStaleError: The plan does not fit any more, and the call does not accept that.
        """
        if self.plan.app != resolution.app:
            raise PlanStaleError(
                f"it is a plan of {self.plan.app}",
                where=self.plan.name,
                remedy=f"`agi distribute {resolution.app}` makes one",
            )
        if self.origin is None:
            self._check_digests(resolution)
            return resolution, ()
        changes = changes_since(self.origin.resolution, resolution)
        if not changes or request.stale_plan is StalePlan.REBASE:
            return resolution, ()
        refused = changes
        if request.stale_plan is StalePlan.PROCEED:
            refused = asked_otherwise(request, changes)
        if refused:
            raise stale(self.plan, refused)
        said = "; ".join(str(change) for change in changes)
        warning = f"the plan is executed as it was made, though {said}"
        return self._as_made(self.origin.resolution, resolution), (warning,)

    @staticmethod
    def _as_made(made: Resolution, now: Resolution) -> Resolution:
        return evolve(
            made,
            app_path=now.app_path,
            verbose=now.verbose,
            modes_enabled=now.modes_enabled | made.mode,
            settings_digest=now.settings_digest,
        )

    def _check_digests(self, resolution: Resolution) -> None:
        plan = self.plan
        fits = (
            plan.mode == resolution.mode
            and plan.selection_digest == resolution.selection.digest
            and plan.args == resolution.args
        )
        if not fits:
            raise PlanStaleError(
                "the mode, the hosts or the arguments are others than the plan was made for",
                where=plan.name,
                metadata={"app": plan.app},
            )
