"""What ``AGI.install`` returns: what was done on which host."""

from __future__ import annotations

from attrs import frozen

from agi_cluster.agi_distributor.failure import marked
from agi_cluster.model.installation import HostInstallation, Installation, InstallationState
from agi_cluster.text import LONGEST, byte_count, columns, counted, cut, duration, one_line
from agi_env.errors import AgiError, BuildFailedError
from agi_env.mode import Mode


@frozen(kw_only=True, repr=False)
class Installed:
    """A settled installation; prints as a table of hosts."""

    id: str
    app: str
    state: InstallationState
    modes_enabled: Mode
    release: str
    unchanged: bool
    """Nothing had to be done on any host."""
    changed_inputs: tuple[str, ...]
    """What changed since the release that was installed before."""
    hosts: tuple[HostInstallation, ...]
    seconds: float

    @classmethod
    def of(cls, installation: Installation) -> Installed:
        """The facts of an installation that is settled."""
        end = installation.end_time or installation.create_time
        return cls(
            id=installation.id,
            app=installation.app,
            state=installation.state,
            modes_enabled=installation.modes_enabled,
            release=installation.release,
            unchanged=installation.unchanged,
            changed_inputs=installation.changed_inputs,
            hosts=installation.hosts,
            seconds=(end - installation.create_time).total_seconds(),
        )

    def failure(self, error: AgiError | None) -> AgiError:
        """The error to raise for an installation that failed."""
        found = error or next((host.error for host in self.hosts if host.error), None)
        found = found or BuildFailedError("the installation failed", where=self.app)
        return marked(found, str(self), installation=self.id)

    def __str__(self) -> str:
        what = "nothing to do" if self.unchanged else self.state.value
        head = f"{self.app}  {what}  modes {self.modes_enabled.words}  in {duration(self.seconds)}"
        changed = [f"changed  {one_line(name)}" for name in self.changed_inputs]
        return "\n".join([head, *cut(changed, LONGEST, "changed inputs"), *self._table()])

    __repr__ = __str__

    def _table(self) -> list[str]:
        if not self.hosts:
            return []
        rows = [("host", "state", "shipped", "time", ""), *(_row(host) for host in self.hosts)]
        return cut(columns(rows, left=(0, 1, 4)), LONGEST, "hosts")


def _row(host: HostInstallation) -> tuple[str, ...]:
    state = "unchanged" if host.unchanged else host.state.value
    wheels = counted(len(host.shipped_wheels), "wheel")
    shipped = f"{wheels}, {byte_count(host.shipped_bytes)}" if host.shipped_wheels else "nothing"
    trouble = one_line(str(host.error)) if host.error else ""
    return host.host, state, shipped, duration(host.seconds), trouble
