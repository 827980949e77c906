"""How a host moves from one state to the next: pure, each from a record to a record.

::

    UNTRUSTED ──trusted──▶ SUSPECT ──surveyed──▶ READY ◀──answered── SUSPECT
                              │                    │                    ▲
                              └──failed──▶ UNUSABLE, SUSPECT ◀──failed──┘
    any of them with a key ──key_changed──▶ KEY_CHANGED ──trusted──▶ SUSPECT
"""

from __future__ import annotations

from datetime import datetime

from attrs import evolve

from agi_cluster.model.host import Host, HostState
from agi_daemon.hosts.host_record import HostRecord
from agi_daemon.hosts.survey import Survey
from agi_daemon.transport.host_key import HostKey
from agi_daemon.transport.login import Login
from agi_env.errors import (
    AgiError,
    HostConnectionLostError,
    HostKeyChangedError,
    HostKeyUntrustedError,
    HostUnreachableError,
    HostUnresolvedError,
    OutOfTimeError,
    PythonMissingError,
    UvMissingError,
    error_from,
)

NOT_SEEN = "it was not looked at yet"

_SILENCE = (
    HostUnresolvedError,
    HostUnreachableError,
    HostConnectionLostError,
    OutOfTimeError,
)
"""What says nothing about the host but that it does not answer now."""

_COMPARE = "`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the host"


def enrolled(login: Login, key: HostKey, now: datetime) -> HostRecord:
    """A host that nobody trusts yet, and the key that it showed."""
    host = Host(
        address=login.address,
        user=login.user,
        port=login.port,
        identity_file=login.identity_file,
        cores=0,
        state=HostState.UNTRUSTED,
        create_time=now,
    )
    return shown(HostRecord(host=host), key, now)


def shown(record: HostRecord, key: HostKey, now: datetime) -> HostRecord:
    """The host has shown this key, and nothing else of it was believed."""
    host = evolve(record.host, offered_fingerprint=key.fingerprint, check_time=now)
    record = evolve(record, host=host, offered=key.to_line())
    if not record.pinned:
        return _with_error(record, HostState.UNTRUSTED, untrusted(record))
    if record.offered != record.pinned:
        return _with_error(record, HostState.KEY_CHANGED, changed(record))
    if record.host.state is HostState.KEY_CHANGED:  # whoever has the accepted key is that host
        return _with_error(record, HostState.SUSPECT, unseen(record.address))
    return record


def trusted(record: HostRecord, fingerprint: str) -> HostRecord:
    """The key that the host showed last is accepted; a host that had it already stays as it is.

    Raises:
        HostKeyUntrustedError: That key has another fingerprint.
    """
    if record.host.offered_fingerprint != fingerprint:
        raise other_key(record, fingerprint)
    if record.pinned == record.offered and record.host.state is not HostState.KEY_CHANGED:
        return record
    host = evolve(
        record.host,
        fingerprint=record.host.offered_fingerprint,
        state=HostState.SUSPECT,
        reason=NOT_SEEN,
        error=unseen(record.address),
    )
    return evolve(record, host=host, pinned=record.offered)


def surveyed(record: HostRecord, survey: Survey, now: datetime) -> HostRecord:
    """The host has said what it is."""
    host = evolve(
        record.host,
        cores=survey.cores,
        memory_bytes=survey.memory_bytes,
        platform=survey.platform,
        os=survey.os,
        libc=survey.libc,
        python_version=survey.python_version,
        python_path=survey.python_path,
        pythons=survey.pythons,
        uv_version=survey.uv_version,
        uv_path=survey.uv_path,
        gpus=survey.gpus,
        account=survey.account,
        home=survey.home,
        root=survey.root,
        disk_free_bytes=survey.disk_free_bytes,
        clock_offset=survey.clock_offset,
        boot_id=survey.boot_id,
        check_time=now,
    )
    return answered(evolve(record, host=host), now)


def answered(record: HostRecord, now: datetime) -> HostRecord:
    """The host has answered: what it lacks still counts, its silence does not."""
    record = evolve(record, host=evolve(record.host, seen_time=now))
    error = lack(record.host)
    if error is None:
        return _with_error(record, HostState.READY, None)
    state = HostState.UNUSABLE if record.host.cores else HostState.SUSPECT
    return _with_error(record, state, error)


def failed(record: HostRecord, error: AgiError, now: datetime) -> HostRecord:
    """The host did not answer, or not as it has to."""
    record = evolve(record, host=evolve(record.host, check_time=now))
    if record.host.state in (HostState.UNTRUSTED, HostState.KEY_CHANGED):
        return record
    state = HostState.SUSPECT if isinstance(error, _SILENCE) else HostState.UNUSABLE
    return _with_error(record, state, error)


def drained(record: HostRecord, *, drain: bool) -> HostRecord:
    """Nothing new is to be placed there, or something may be again."""
    return evolve(record, host=evolve(record.host, drained=drain))


def lack(host: Host) -> AgiError | None:
    """What a host must have and has not, by its facts; None if nothing."""
    address, again = host.address, f"then `agi hosts check {host.address}`"
    if not host.cores:
        return unseen(address)
    if not host.python_path:
        found = f"it has {', '.join(host.pythons)}" if host.pythons else "it has no Python"
        return PythonMissingError(
            f"{found}; 3.11 or later is needed",
            where=address,
            remedy=f"Install Python 3.11 or later there, {again}",
            metadata={"host": address},
        )
    if not host.uv_version:
        return UvMissingError(
            f"the uv at {host.uv_path} does not run" if host.uv_path else "it has no uv",
            where=address,
            remedy="Install uv there (`pip install --user uv`, or copy the program into "
            f"~/.local/bin), {again}",
            metadata={"host": address},
        )
    return None


def about(address: str, error: AgiError) -> AgiError:
    """The error, naming the host that it is about."""
    facts = {**error.to_metadata(), "where": error.where or address, "host": address}
    return error_from(error.code, facts)


def unseen(address: str) -> HostConnectionLostError:
    """The host was trusted, and what it is was not read."""
    return HostConnectionLostError(
        NOT_SEEN,
        where=address,
        remedy=f"`agi hosts check {address}` looks at it",
        metadata={"host": address},
    )


def untrusted(record: HostRecord) -> HostKeyUntrustedError:
    """Nobody has accepted the key of the host."""
    address, offered = record.address, record.host.offered_fingerprint
    return HostKeyUntrustedError(
        f"its key {offered} is not trusted yet",
        where=address,
        remedy=f"Compare it with {_COMPARE}, then {_trust(address, offered)}",
        metadata={"host": address, "offered": offered},
    )


def changed(record: HostRecord) -> HostKeyChangedError:
    """The host shows another key than the accepted one."""
    address, host = record.address, record.host
    return HostKeyChangedError(
        f"it shows the key {host.offered_fingerprint} and was trusted with {host.fingerprint}: "
        "either the host was installed anew, or somebody is in between; nothing is sent to it",
        where=address,
        remedy=f"Ask whoever runs the host and compare with {_COMPARE}; if the new key is the "
        f"host's own, {_trust(address, host.offered_fingerprint)}; "
        f"if not, `agi hosts remove {address}`",
        metadata={"host": address, "offered": host.offered_fingerprint, "pinned": host.fingerprint},
    )


def other_key(record: HostRecord, wanted: str) -> HostKeyUntrustedError:
    """The host shows another key than the one that a caller wants to trust."""
    offered = record.host.offered_fingerprint
    return HostKeyUntrustedError(
        f"it shows the key {offered} and not {wanted}; nothing was accepted",
        where=record.address,
        remedy=f"Compare both with {_COMPARE}",
        metadata={"host": record.address, "offered": offered},
    )


def _trust(address: str, fingerprint: str) -> str:
    return f"`agi hosts trust {address} --fingerprint {fingerprint}`"


def _with_error(record: HostRecord, state: HostState, error: AgiError | None) -> HostRecord:
    reason = error.what if error else ""
    return evolve(record, host=evolve(record.host, state=state, reason=reason, error=error))
