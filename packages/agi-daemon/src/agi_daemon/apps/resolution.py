"""What a call on an app means, once the user's settings were consulted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from attrs import frozen

from agi_cluster.model.selection import THIS_MACHINE, Selection
from agi_daemon.apps.slots import LOCAL_NAMES, for_mode, known_as, slots_of
from agi_env.app import App
from agi_env.errors import ModeNotEnabledError
from agi_env.mode import Mode
from agi_env.runtime.spec import SlotSpec
from agi_env.scheduler_address import SchedulerAddress
from agi_env.settings import Settings
from agi_env.settings_schema import dotted, problems
from agi_env.share import data_paths

RUNNABLE = Mode.POOL | Mode.CLUSTER
"""The bits that can be run today."""

DEFAULT_ATTEMPTS = 3
"""How often a partition whose executor dies is attempted, unless the settings say otherwise."""


@frozen(kw_only=True)
class Limits:
    """What a call limits itself; None: as in the settings."""

    partition_timeout: float | None = None
    """Seconds; 0: no limit."""
    run_timeout: float | None = None
    max_attempts: int | None = None


@frozen(kw_only=True)
class Resolution:
    """One call with nothing left open; it does not change when the settings do."""

    app: str
    target: str
    app_path: str
    mode: Mode
    modes_enabled: Mode
    selection: Selection
    slots: tuple[SlotSpec, ...]
    args: dict[str, Any]
    data_in: str
    data_out: str
    verbose: int
    partition_timeout: float | None
    run_timeout: float
    settings_digest: str
    max_attempts: int = DEFAULT_ATTEMPTS

    @property
    def cores(self) -> dict[str, int]:
        """The cores that the slots hold, by host."""
        held: dict[str, int] = {}
        for slot in self.slots:
            held[slot.host] = held.get(slot.host, 0) + slot.cores
        return held

    @property
    def clustered(self) -> bool:
        """Whether the executors are below workers of their own."""
        return Mode.CLUSTER in self.mode

    @property
    def scheduler(self) -> SchedulerAddress:
        """Where the runner is, as its workers reach it."""
        given = SchedulerAddress.parse(self.selection.scheduler or THIS_MACHINE)
        return replace(given, host=THIS_MACHINE) if given.host in LOCAL_NAMES else given

    @property
    def runner_host(self) -> str:
        """The host of the runner."""
        return known_as(self.scheduler.host) if self.clustered else self.slots[0].host

    @property
    def hosts(self) -> tuple[str, ...]:
        """The hosts of the slots and of the runner, each once."""
        return tuple(dict.fromkeys((*self.cores, self.runner_host)))


def resolve(
    app: App,
    settings: Settings,
    *,
    cores_of: Callable[[str], int],
    selection: Selection = Selection(),
    mode: Mode | None = None,
    args: Mapping[str, Any] | None = None,
    verbose: int | None = None,
    limits: Limits = Limits(),
) -> Resolution:
    """Close every question that a call leaves open with the settings.

    Args:
        app: The app.
        settings: The user's settings of it.
        cores_of: The cores of a host.
        selection: What the call chooses itself.
        mode: The call's mode; None: that of the settings.
        args: What the call gives; it replaces the settings' arguments key by key.
        verbose: 0 to 3; None: that of the settings.
        limits: What the call limits itself.

    Raises:
        SelectionInvalidError: The map does not fit the mode.
        ModeNotEnabledError: The mode cannot be run.
        SettingsInvalidError: An argument cannot be used.
    """
    chosen = settings.mode if mode is None else mode
    check_runnable(chosen)
    configured = Selection(
        scheduler=settings.scheduler,
        workers=settings.workers,
        cores_per_slot=settings.cores_per_slot or 0,
    )
    fitting = for_mode(selection, configured, chosen)
    arguments = {**settings.args, **(args or {})}
    for problem in problems({"args": arguments}):
        raise problem.error(problem.what, metadata={"key": dotted(problem.key)})
    paths = data_paths(arguments, app.target, chosen)
    return Resolution(
        app=app.name,
        target=app.target,
        app_path=str(app.root),
        mode=chosen,
        modes_enabled=settings.modes_enabled | chosen,
        selection=fitting,
        slots=slots_of(fitting, chosen, cores_of),
        args=arguments,
        data_in=str(paths.data_in),
        data_out=str(paths.data_out),
        verbose=settings.verbose if verbose is None else verbose,
        partition_timeout=_either(limits.partition_timeout, settings.partition_timeout) or None,
        run_timeout=_either(limits.run_timeout, settings.run_timeout) or settings.run_timeout,
        settings_digest=settings.digest,
        max_attempts=limits.max_attempts or settings.max_attempts or DEFAULT_ATTEMPTS,
    )


def _either(given: float | None, configured: float | None) -> float | None:
    return configured if given is None else given


def check_runnable(mode: Mode) -> None:
    """See that each bit of the mode can be run.

    Raises:
        ModeNotEnabledError: A bit has no implementation in this version.
    """
    missing = mode & ~RUNNABLE
    if missing:
        raise ModeNotEnabledError(
            f"this version cannot run {Mode(missing).words}",
            where=f"mode {int(mode)}",
            remedy="Choose a sum of pool 1 and cluster 4; 0 is plain local Python",
        )
