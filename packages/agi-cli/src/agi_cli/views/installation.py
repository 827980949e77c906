"""Installations as people see them."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from agi_cli.install_tracker import InstallTracker
from agi_cli.views.grid import Cell, facts, grid, state
from agi_cluster.model.installation import HostInstallation, Installation, InstallationState
from agi_cluster.text import byte_count, counted, duration

_COLUMNS = ("host", "state", "build", "shipped", "seconds", "")


def installation_report(installation: Installation) -> RenderableType:
    """A settled installation: what was done where."""
    table = grid(
        _COLUMNS, map(_row, installation.hosts), right=("seconds",), may_go=("build", "shipped")
    )
    return Group(Text(_headline(installation)), table, *_tracebacks(installation))


def install_progress(tracker: InstallTracker) -> RenderableType:
    """What is going on where, as long as it does."""
    rows = [
        (host, progress.words, f"{tracker.seconds(host):.1f} s")
        for host, progress in list(tracker.hosts.items())
    ]
    return grid(("host", "", "time"), rows, right=("time",), prose=("",))


def installation_preview(installation: Installation) -> RenderableType:
    """What an installation would be about."""
    return facts(
        [
            ("would install", installation.app),
            ("on", ", ".join(host.host for host in installation.hosts)),
            ("enabling", installation.modes_enabled.words),
        ]
    )


def _tracebacks(installation: Installation) -> list[RenderableType]:
    """What the app raised when it was imported; on every host it is the same."""
    errors = [installation.error, *(host.error for host in installation.hosts)]
    found = [
        error.metadata["traceback"] for error in errors if error and "traceback" in error.metadata
    ]
    lines = found[0].rstrip().splitlines() if found else []
    return [Text("\n".join(f"  {line}" for line in lines), style="dim")] if lines else []


def _headline(installation: Installation) -> str:
    end = installation.end_time or installation.create_time
    spent = duration((end - installation.create_time).total_seconds())
    app = installation.app
    if installation.state is InstallationState.FAILED:
        return f"{app}: the installation failed after {spent}"
    if installation.unchanged:
        return f"{app}: nothing to do, looked in {spent}"
    changed = ", ".join(installation.changed_inputs)
    return f"{app}: installed in {spent}{f'; changed: {changed}' if changed else ''}"


def _row(host: HostInstallation) -> tuple[Cell, ...]:
    shipped = f"{counted(len(host.shipped_wheels), 'wheel')}, {byte_count(host.shipped_bytes)}"
    return (
        host.host,
        state(host.state.value),
        host.build[:12],
        shipped if host.shipped_wheels else "nothing",
        f"{host.seconds:.2f}",
        "unchanged" if host.unchanged else "",
    )
