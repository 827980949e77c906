"""Steps of an install as events of what needs it: an installation, or a run."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Container, Sequence
from contextlib import asynccontextmanager

from agi_daemon.events import Events, Fact
from agi_daemon.install.outcome import Phase, Progress, Report
from agi_daemon.store.store import Store

WORK = frozenset(
    {Phase.COLLECTING, Phase.COMPILING, Phase.SHIPPING, Phase.REALISING, Phase.REPEATED}
)
"""The phases that take time: there are none where nothing had to be done."""

_VERBOSITY = {Phase.REALISING: 2, Phase.CHECKED: 2, Phase.FAILED: 0}

Steps = asyncio.Queue[Progress | None]


@asynccontextmanager
async def telling(
    store: Store, events: Events, subject: str, phases: Container[Phase] = frozenset(Phase)
) -> AsyncIterator[Report]:
    """Take reports, and store them as events of a subject; all are stored when the block ends.

    What is reported at once shares a transaction. Where the block is cancelled, what is not
    stored yet is left out.

    Args:
        store: Where events are kept.
        events: Numbers and announces them.
        subject: Such as ``runs/ID``.
        phases: Those that are told.
    """
    steps: Steps = asyncio.Queue()
    teller = asyncio.create_task(_tell(store, events, subject, steps), name=f"tell {subject}")

    def report(step: Progress) -> None:
        if step.phase in phases:
            steps.put_nowait(step)

    try:
        yield report
    except asyncio.CancelledError:
        teller.cancel()
        raise
    finally:
        steps.put_nowait(None)
        await asyncio.gather(teller, return_exceptions=True)
    teller.result()


async def _tell(store: Store, events: Events, subject: str, steps: Steps) -> None:
    over = False
    while not over:
        facts, over = _facts(await steps.get(), steps)
        if facts:
            await store.keep(_appending(events, subject, facts))
            events.announce(subject)


def _facts(first: Progress | None, steps: Steps) -> tuple[list[Fact], bool]:
    """What waits to be told now, and whether nothing comes after it."""
    facts, step = [], first
    while step is not None:
        facts.append(_fact(step))
        if steps.empty():
            return facts, False
        step = steps.get_nowait()
    return facts, True


def _appending(
    events: Events, subject: str, facts: Sequence[Fact]
) -> Callable[[sqlite3.Connection], int]:
    return lambda tx: events.append(tx, subject, facts)


def _fact(step: Progress) -> Fact:
    data = {
        "host": step.host,
        "detail": step.detail,
        "wheels": list(step.wheels),
        "bytes": step.size_bytes,
        "changed": list(step.changed),
    }
    kept = {key: value for key, value in data.items() if value}
    return Fact(kind=step.phase.value.lower(), data=kept, verbosity=_VERBOSITY.get(step.phase, 1))
