"""Whether something new may be placed on a host: pure, and the one place that says so."""

from __future__ import annotations

from agi_cluster.model.host import Host, HostState
from agi_env.errors import AgiError, HostDrainedError, HostNotFoundError, error_from

_CLOSED = (HostState.UNTRUSTED, HostState.KEY_CHANGED)


def barrier(host: Host) -> AgiError | None:
    """What keeps every command from a host; None if nothing does."""
    return _anew(host.error) if host.state in _CLOSED else None


def refusal(host: Host) -> AgiError | None:
    """What keeps new work from a host; None if nothing does.

    A host that did not answer lately is no reason: it may answer when it is needed. One whose
    cores were never read is: nothing can be placed by them.
    """
    if host.drained:
        return HostDrainedError(
            "it is drained, nothing new is placed on it",
            where=host.address,
            remedy=f"`agi hosts resume {host.address}` ends that, or leave it out of the map",
            metadata={"host": host.address},
        )
    return barrier(host) or (None if host.cores else _anew(host.error))


def unknown(address: str) -> HostNotFoundError:
    """Nobody has enrolled the host."""
    return HostNotFoundError(
        f"the host {address} is not enrolled",
        remedy=f"`agi hosts add {address}` enrols it; `agi hosts list` shows the others",
        metadata={"host": address},
    )


def _anew(error: AgiError | None) -> AgiError | None:
    """The same error to be raised: the one that is kept may not gather traces."""
    return error and error_from(error.code, error.to_metadata())
