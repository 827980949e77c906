"""What a queued run waits for, asked again and again: no event tells of it, for thousands wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agi_cli.tracker import RunTracker
from agi_cluster.model.run import RunState
from agi_env.errors import AgiError

if TYPE_CHECKING:
    from agi_cluster.client.sync import Client

LOOK_S = 3.0
"""Seconds between two looks: each plain line of progress has a new one."""

_END_S = 1.0


@contextmanager
def looking_at_queue(
    client: Client, tracker: RunTracker, interval: float = LOOK_S
) -> Iterator[None]:
    """Keep a tracker told what its run waits for, as long as it is queued.

    Args:
        client: A client of the daemon.
        tracker: Of the run.
        interval: Seconds between two looks.
    """
    over = threading.Event()
    looker = threading.Thread(
        target=_look, args=(client, tracker, interval, over), name="queue", daemon=True
    )
    looker.start()
    try:
        yield
    finally:
        over.set()
        looker.join(_END_S)


def _look(client: Client, tracker: RunTracker, interval: float, over: threading.Event) -> None:
    while not over.wait(interval) and tracker.state is RunState.QUEUED:
        try:
            tracker.wait(client.get_run(tracker.run.id))
        except AgiError:  # the watch itself tells what is wrong, and ends with it
            continue
