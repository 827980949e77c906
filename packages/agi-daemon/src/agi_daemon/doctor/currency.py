"""Whether anything runs that is older than the app's sources and settings are now."""

from __future__ import annotations

from collections.abc import Sequence

from agi_cluster.model.run import Run
from agi_cluster.text import counted
from agi_daemon.doctor.build import CurrentRelease
from agi_daemon.doctor.catalogue import finding
from agi_daemon.doctor.ladder import Seen

_STALE_SNIPPET = "this snippet was rendered"


def current_seen(host: str, release: CurrentRelease, runs: Sequence[Run]) -> Seen:
    """What of an app's runs is older than the app.

    Args:
        host: The manager, for findings.
        release: What would be installed now.
        runs: The app's runs, newest first, those that are not settled among them.
    """
    under_way = [run for run in runs if not run.state.settled]
    stale = [run for run in under_way if release.digest and run.release not in ("", release.digest)]
    changed = f": {', '.join(release.changed)}" if release.changed else ""
    findings = [
        finding(
            "STALE_CODE",
            host,
            f"runs/{run.id} ({run.state.value}) has release {run.release[:12]}, and the sources"
            f" are {release.digest[:12]} now{changed}",
            app=release.app,
            run=run.id,
        )
        for run in stale
    ]
    findings += [
        finding("SNIPPET_STALE", host, f"runs/{run.id}: {warning}", app=release.app)
        for run in runs[:1]
        for warning in run.warnings
        if _STALE_SNIPPET in warning
    ]
    return Seen(f"{counted(len(under_way), 'run')} under way", tuple(findings))
