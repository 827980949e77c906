"""The log of a run in pieces, and a word where there are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agi_env.errors import NotFoundError

if TYPE_CHECKING:
    from agi_cli.session import Session
    from agi_cluster.client.sync import Client


def some_of_log(
    session: Session, client: Client, name: str, *, file: str, follow: bool
) -> Iterator[tuple[str, str]]:
    """Yield what a run printed; people are told where that is nothing at all.

    Args:
        session: Who to tell.
        client: A client of the daemon.
        name: The run.
        file: Only this file of it; empty: all.
        follow: Go on until the run is settled.

    Raises:
        NotFoundError: Nothing is in the file, but in others there is.
    """
    silent = True
    for piece in client.read_run_log(name, file=file, follow=follow):
        silent = False
        yield piece
    if silent:
        _explain(session, client, name, file)


def _explain(session: Session, client: Client, name: str, file: str) -> None:
    run = client.get_run(name)
    others = sorted({each for each, _ in client.read_run_log(name)}) if file else []
    if others:
        raise NotFoundError(
            f"there is nothing in a file {file}",
            where=f"runs/{run.id}",
            remedy=f"What it printed is in {', '.join(others)}",
        )
    session.say(f"runs/{run.id} has printed nothing{'' if run.state.settled else ' yet'}")
