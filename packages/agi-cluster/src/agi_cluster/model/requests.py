"""What the longer calls ask for, as values."""

from __future__ import annotations

from enum import Enum
from typing import Any

from attrs import field, frozen

from agi_cluster.model.run import SnippetOrigin
from agi_cluster.model.selection import Selection, checked_workers
from agi_env.mode import Mode


@frozen(kw_only=True)
class CreateInstallation:
    """Install the current sources of an app on hosts."""

    app: str
    """``apps/NAME``, a bare name, or the absolute path of the app's folder."""
    selection: Selection = Selection()
    modes_enabled: Mode | None = None
    """None: computed from the settings."""
    upgrade: bool = False
    release: str = ""
    """The digest of an earlier release, or its beginning; empty: the current sources."""


@frozen(kw_only=True)
class CreatePlan:
    """Have the app name its partitions and place them."""

    app: str
    selection: Selection = Selection()
    mode: Mode | None = None
    args: dict[str, Any] = field(factory=dict)
    """Replace those of the settings, key by key."""
    no_install: bool = False
    without: tuple[str, ...] = ()
    """Hosts to leave out of what the selection and the settings say."""
    slots: dict[str, int] = field(factory=dict, converter=checked_workers)
    """Slots of hosts, instead of what the selection and the settings say."""
    rebase: str = ""
    """A plan whose pins and moves by hand are applied to the new one."""


class StalePlan(Enum):
    """What a run does with a plan whose selection, settings or partitions have changed since."""

    PROCEED = "PROCEED"
    """It executes the plan as it was made."""
    REBASE = "REBASE"
    """It makes a new plan, with the pins and moves by hand of the old one."""


@frozen(kw_only=True)
class StartRun:
    """Run an app."""

    app: str
    mode: Mode | None = None
    selection: Selection = Selection()
    args: dict[str, Any] = field(factory=dict)
    plan: str = ""
    """``plans/ID`` or ``plans/ID@REVISION``; empty: a new plan."""
    no_install: bool = False
    release: str = ""
    """The digest of an earlier release, or its beginning; empty: the current sources."""
    snippet: SnippetOrigin | None = None
    verbose: int | None = None
    stale_plan: StalePlan | None = None
    """None: a plan is refused where something has changed since it was made."""
    partition_timeout: float | None = None
    """Seconds; 0: no limit; None: that of the settings."""
    run_timeout: float | None = None
    max_attempts: int | None = None
