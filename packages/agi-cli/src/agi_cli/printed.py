"""What an app prints while its run is watched, line by line."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agi_cluster.printed_lines import PrintedLines
from agi_env.errors import AgiError

if TYPE_CHECKING:
    from agi_cluster.client.sync import Client

_END_S = 10.0
"""Seconds that the last lines have to arrive, once the run is settled."""


@contextmanager
def printed(client: Client, run_id: str, say: Callable[[str], None]) -> Iterator[None]:
    """Say what the processes of a run print, from now until it is settled.

    A log that cannot be read is said too; it ends nothing.

    Args:
        client: A client of the daemon.
        run_id: The run.
        say: Takes a line with the name of its file; it is called from another thread.
    """
    detached = threading.Event()
    reader = threading.Thread(
        target=_read, args=(client, run_id, say, detached), name="printed", daemon=True
    )
    reader.start()
    try:
        yield
    except BaseException:
        detached.set()  # the run goes on, and so would its log
        raise
    reader.join(_END_S)


def _read(
    client: Client, run_id: str, say: Callable[[str], None], detached: threading.Event
) -> None:
    try:
        for line in _lines(client, run_id):
            if detached.is_set():
                return
            say(line)
    except AgiError as error:
        if not detached.is_set():
            say(f"what it printed: {error}")


def _lines(client: Client, run_id: str) -> Iterator[str]:
    printed_lines = PrintedLines()
    for file, text in client.read_run_log(run_id, follow=True):
        yield from printed_lines.take(file, text)
    yield from printed_lines.rest()
