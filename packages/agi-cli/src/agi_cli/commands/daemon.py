"""``agi daemon``: start and stop the daemon, ask how it is, back its database up."""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agi_cli.options import DryRun, Format, Output
from agi_cli.session import Session, session_of
from agi_cli.views.daemon import backup_facts, daemon_facts, recovery_facts
from agi_cluster.client.address import Address
from agi_cluster.client.ssh_address import SshAddress
from agi_cluster.model.daemon import DaemonInfo
from agi_env import paths
from agi_env.errors import DaemonError, OutOfTimeError

if TYPE_CHECKING:
    from agi_cluster.client.sync import Client

STOP_TIMEOUT = 30.0
"""Seconds that a daemon has to end."""

_POLL = 0.05

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback()
def daemon() -> None:
    """Start, stop, back up the daemon, ask how it is. Runs go on while it is away."""


@app.command()
def start(context: typer.Context, output: Output = Format.TABLE) -> None:
    """Start the daemon, unless it runs."""
    session = session_of(context)
    before = _running(session)
    with session.client() as client:
        found = client.get_daemon()
    session.say("it runs already" if before else "started")
    session.show(output, found, lambda: daemon_facts(found))


@app.command()
def status(context: typer.Context, output: Output = Format.TABLE) -> None:
    """Show the daemon; exit code 7 where none runs."""
    session = session_of(context)
    with _living(session) as client:
        found = client.get_daemon()
    session.show(output, found, lambda: daemon_facts(found))


@app.command()
def stop(context: typer.Context, dry_run: DryRun = False, output: Output = Format.TABLE) -> None:
    """Stop the daemon, and return when it has ended; runs go on and the next one takes them up."""
    session = session_of(context)
    with _living(session) as client:
        found = client.stop_daemon(validate_only=dry_run)
    if not dry_run:
        session.say(_ended(found))
    session.show(output, found, lambda: daemon_facts(found))


@app.command()
def backup(
    context: typer.Context,
    path: Annotated[
        str,
        typer.Argument(
            metavar="[PATH]",
            help="A new file, or a directory in which it gets a name.",
            show_default=False,
        ),
    ] = "",
    dry_run: DryRun = False,
    output: Output = Format.TABLE,
) -> None:
    """Copy the daemon's database to PATH on its machine, while it goes on working."""
    session = session_of(context)
    with session.client() as client:
        made = client.create_backup(_there(path), validate_only=dry_run)
    session.show(output, made, lambda: backup_facts(made))


@app.command()
def restore(
    context: typer.Context,
    path: Annotated[
        str,
        typer.Argument(metavar="[PATH]", help="A backup. [the last one]", show_default=False),
    ] = "",
    output: Output = Format.TABLE,
) -> None:
    """Go back to a backup, then take in the runs since from their directories.

    The daemon has to be stopped. The database of before is moved aside, not deleted.
    """
    from agi_cli.recovery import recovered  # noqa: PLC0415 - loads the client

    words = [str(paths.absolute(path))] if path else []
    _recovered(session_of(context), output, recovered("restore", *words))


@app.command()
def rebuild(
    context: typer.Context,
    anew: Annotated[
        bool, typer.Option("--anew", help="Begin with an empty database, also if it is sound.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Take runs into the database from their directories, here and on the enrolled hosts.

    The daemon has to be stopped. A damaged database is moved aside, not deleted.
    """
    from agi_cli.recovery import recovered  # noqa: PLC0415 - loads the client

    _recovered(session_of(context), output, recovered("rebuild", *(["--anew"] if anew else [])))


def _recovered(session: Session, output: Format, done: Mapping[str, Any]) -> None:
    if output is Format.JSON:
        session.write_json(json.dumps(done, ensure_ascii=False, indent=2))
    else:
        session.print(recovery_facts(done))


def _there(path: str) -> str:
    """The path as the daemon takes it; what is relative is of this machine's directory."""
    return path if not path or isinstance(Address.here(), SshAddress) else str(paths.absolute(path))


@contextmanager
def _living(session: Session) -> Iterator[Client]:
    """A client of a daemon that runs.

    Raises:
        DaemonError: None runs.
    """
    with session.client(start_daemon=False) as client:
        try:
            yield client
        except DaemonError as error:
            if type(error) is not DaemonError:
                raise
            raise DaemonError(
                "no daemon answers",
                where=str(Address.here()),
                remedy="`agi daemon start`, or any command that needs one, starts it",
            ) from error


def _running(session: Session) -> bool:
    try:
        with session.client(start_daemon=False) as client:
            client.get_daemon()
    except DaemonError:
        return False
    return True


def _ended(daemon: DaemonInfo) -> str:
    """What to say of a daemon that was asked to stop; that of this machine is waited for."""
    address = Address.here()
    if isinstance(address, SshAddress):
        return f"it is stopping on {address.host}"
    _await_end(daemon)
    return "stopped"


def _await_end(daemon: DaemonInfo) -> None:
    """Wait until nobody holds the state directory: then the next daemon can start."""
    lock = paths.daemon_lock_path(Path(daemon.state_directory))
    deadline = time.monotonic() + STOP_TIMEOUT
    while _held(lock):
        if time.monotonic() > deadline:
            raise OutOfTimeError(
                f"the daemon did not end within {STOP_TIMEOUT:g} s", where=f"pid {daemon.pid}"
            )
        time.sleep(_POLL)


def _held(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False
