"""What the daemon keeps of a run: what its clients see, and what it needs to go on with it."""

from __future__ import annotations

from attrs import evolve, field, frozen

from agi_cluster.model.requests import CreatePlan, StalePlan
from agi_cluster.model.run import Run, RunState
from agi_daemon.apps.resolution import Resolution


@frozen(kw_only=True)
class SchedulerPlace:
    """Where the workers of a run find its runner."""

    address: str
    epoch: int
    """The runner's epoch: one of another has another scheduler."""


@frozen(kw_only=True)
class RunRecord:
    """One run, as it is stored."""

    number: int
    """Rises with each accepted run; 0 until it is stored."""
    run: Run
    resolution: Resolution
    """What the call meant when it was accepted: settings, arguments, slots."""
    no_install: bool = False
    release: str = ""
    """The digest of the kept release that is to be run; empty: that of the current sources."""
    call: CreatePlan | None = None
    """What the call said itself of its plan; None in runs of earlier versions."""
    stale_plan: StalePlan | None = None
    """What to do where the plan that was named is not up to date."""
    builds: dict[str, str] = field(factory=dict)
    """The path of the worker's build on each host, once it is there."""
    manager_build: str = ""
    """The path, on this machine, of the build that names the partitions."""
    epoch: int = 0
    """The highest epoch that was given out; the run's own counts the starts that came of them."""
    journal_seq: int = 0
    """The last record of the journal that was copied."""
    fruitless_starts: int = 0
    """Starts of the runner in a row that brought no partition further."""
    moved_to: str = ""
    """The host that has the runner since the chosen one was lost; empty while it is not."""
    meeting_host: str = ""
    """The address at which the workers reach the runner's host; set when the run is started."""
    scheduler: SchedulerPlace | None = None
    """Where the living runner's scheduler is; None in local modes and before it listens."""
    current_sources: bool = False
    """Whether a run that retries another takes the sources as they are now."""
    cancel_grace: float | None = None
    """Seconds that running partitions may take after a request to stop; None: no such request."""

    @property
    def subject(self) -> str:
        """The name under which its events are numbered."""
        return f"runs/{self.run.id}"

    @property
    def runner_host(self) -> str:
        """The host that has the runner."""
        return self.moved_to or self.resolution.runner_host

    @property
    def met_hosts(self) -> tuple[str, ...]:
        """The hosts of a run across machines on which something of it may be."""
        if not self.epoch or not self.resolution.clustered:
            return ()  # nobody was asked to start anything; or all of it ends with its runner
        return tuple(dict.fromkeys((*self.resolution.hosts, self.runner_host)))

    @property
    def suspects(self) -> tuple[str, ...]:
        """The hosts on which something may live on when the daemon settles the run by itself."""
        return self.met_hosts or ((self.runner_host,) if self.epoch else ())

    def moved(self, state: RunState) -> RunRecord:
        """The record in another state."""
        return evolve(self, run=evolve(self.run, state=state))
