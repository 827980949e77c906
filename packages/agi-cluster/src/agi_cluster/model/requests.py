"""What the longer calls ask for, as values."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from agi_cluster.model.run import SnippetOrigin
from agi_cluster.model.selection import Selection
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


@frozen(kw_only=True)
class CreatePlan:
    """Have the app name its partitions and place them."""

    app: str
    selection: Selection = Selection()
    mode: Mode | None = None
    args: dict[str, Any] = field(factory=dict)
    """Replace those of the settings, key by key."""
    no_install: bool = False


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
    snippet: SnippetOrigin | None = None
    verbose: int | None = None


@frozen(kw_only=True)
class CreateBenchmark:
    """Run an app in several modes, in turns."""

    app: str
    modes: tuple[Mode, ...] = ()
    """None: all that can be run on the hosts."""
    selection: Selection = Selection()
    args: dict[str, Any] = field(factory=dict)
    repeats: int = 5
    """Runs of each mode that count, 2 to 100."""
    warmups: int = 1
    """Runs of each mode before those, 0 to 10."""
