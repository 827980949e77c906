"""Whether the build of an app's current sources is on a host, as it was made, and imports."""

from __future__ import annotations

from attrs import frozen

from agi_cluster.model.diagnosis import Rung
from agi_daemon.doctor.catalogue import finding, finding_of
from agi_daemon.doctor.ladder import Seen
from agi_daemon.install.host_agent import BuildOrder, HostAgent, HostCheck
from agi_daemon.install.resolution import Resolved
from agi_daemon.transport.host_transport import HostTransport
from agi_env.errors import AppImportError, HostCommandTimeoutError, NotInstalledError

IMPORT_S = 2.5
"""Seconds that an import may take before it is taken to be well and merely slow."""

_IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
"""


@frozen
class CurrentRelease:
    """What would be installed now.

    Attributes:
        app: The app's name.
        resolved: The release of its current sources; None where its dependencies were never locked.
        offers: Its builds for the platforms that are known.
        changed: What changed since the release that was installed last.
    """

    app: str
    resolved: Resolved | None = None
    offers: tuple[BuildOrder, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The release's digest; empty where it was never locked."""
        return self.resolved.release.digest if self.resolved else ""


async def build_seen(transport: HostTransport, release: CurrentRelease) -> Seen:
    """Look for the build, and import the app in it.

    Raises:
        AgiError: The host cannot be asked.
    """
    if release.resolved is None:
        return not_installed(release, transport.host)
    check = await HostAgent(transport).check(release.offers)
    if not check.built:
        return unbuilt(release, transport.host, check)
    python = f"{check.path}/bin/python"
    argv = [python, "-I", "-B", "-c", _IMPORT, *release.resolved.verify]
    evidence = f"{str(check.path).rpartition('/')[2][:12]}, as it was made"
    try:
        done = await transport.run(argv, deadline_s=IMPORT_S)
    except HostCommandTimeoutError:
        return Seen(f"{evidence}; its import takes longer than {IMPORT_S:g} s")
    if not done.returncode:
        return Seen(evidence)
    words = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    reason = words[0] if words else f"the process ended with {done.returncode}"
    error = AppImportError(f"the build is there and does not import: {reason}")
    return Seen(evidence, (finding_of(error, transport.host, Rung.BUILD),))


def unbuilt(release: CurrentRelease, host: str, check: HostCheck) -> Seen:
    """What it means that the build is not there, or not as it was made."""
    if not check.drift:
        return not_installed(release, host)
    what = f"the build is no more as it was made: {check.drift} has changed or is gone"
    return Seen(what, (finding("BUILD_BROKEN", host, what, app=release.app),))


def not_installed(release: CurrentRelease, host: str) -> Seen:
    """The current sources are not installed."""
    changed = f": {', '.join(release.changed)}" if release.changed else ""
    error = NotInstalledError(
        f"the current sources are not installed{changed}",
        remedy=f"`agi install {release.app}`, or leave it to `agi run`, which does it first",
    )
    return Seen(error.what, (finding_of(error, host, Rung.BUILD),))
