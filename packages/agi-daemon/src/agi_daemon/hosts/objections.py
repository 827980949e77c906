"""What speaks against a change of a host that somebody asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agi_cluster.model.login_name import checked_host, checked_port, checked_user
from agi_daemon.apps.slots import known_as
from agi_daemon.hosts.admission import barrier
from agi_daemon.hosts.host_record import HostRecord
from agi_daemon.transport.login import Login
from agi_env.errors import (
    AlreadyExistsError,
    EtagMismatchError,
    HostInUseError,
    RequestInvalidError,
)


def login_of(address: str, user: str, port: int, identity_file: str) -> Login:
    """How a host is to be reached, if it can be.

    Raises:
        RequestInvalidError: A part of it is none, or it is this machine.
    """
    host = known_as(checked_host(address))
    if host == known_as("localhost"):
        raise about_this_machine(address)
    if identity_file and not Path(identity_file).is_file():
        raise RequestInvalidError(
            "there is no such key file on the manager",
            where=identity_file,
            remedy="Name the private key, as `ssh-keygen -t ed25519` makes one",
        )
    return Login(
        address=host,
        user=checked_user(user) if user else "",
        port=checked_port(str(port)) if port else 0,
        identity_file=identity_file,
    )


def about_this_machine(name: str) -> RequestInvalidError:
    """What was asked for makes no sense for this machine."""
    return RequestInvalidError(
        f"{name.removeprefix('hosts/')} is this machine, which is a host without being enrolled",
        where="name",
        remedy="Name another machine, or this one by the address that others reach it by",
    )


def refuse_twice(record: HostRecord) -> HostRecord:
    """Refuse to enrol a host again.

    Raises:
        AlreadyExistsError: Always; it says how to go on with the host that is there.
    """
    address, closed = record.address, barrier(record.host)
    remedy = closed.remedy if closed else f"`agi hosts check {address}` looks at it again"
    raise AlreadyExistsError(
        f"the host {address} is enrolled already, as {record.host.state.value}",
        where=address,
        remedy=f"{remedy}; for another login, `agi hosts remove {address}` first",
        metadata={"host": address},
    )


def check_etag(record: HostRecord, etag: str) -> None:
    """See that a host is as a caller has read it.

    Raises:
        EtagMismatchError: It is not.
    """
    if etag and etag != record.etag:
        raise EtagMismatchError(
            "the host has changed since it was read",
            where=record.address,
            metadata={"etag": record.etag},
        )


def refuse_used(address: str, users: Sequence[str]) -> None:
    """See that nothing needs a host.

    Raises:
        HostInUseError: Something does.
    """
    if users:
        raise HostInUseError(
            f"it is used by {', '.join(users[:5])}",
            where=address,
            remedy=f"Wait for its end, or cancel it with `agi runs cancel`; `agi hosts drain "
            f"{address}` keeps new work away",
            metadata={"host": address, "user": users[0]},
        )
