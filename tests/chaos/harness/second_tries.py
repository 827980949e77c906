"""Second tries: what failed because of the storm is retried after it, and has to succeed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from agi_cluster.client import AsyncClient
from agi_cluster.model.event import Event
from agi_cluster.model.run import RunState
from agi_env.errors import AgiError, RetryRefusedError
from harness.customer import SETTLE_S, Order
from harness.figures import Breach, Figures, Violation


async def retried(client: AsyncClient, orders: Sequence[Order], figures: Figures) -> list[Order]:
    """The orders that came of retrying those that failed, each followed to its end."""
    failed = [order for order in orders if order.run and await _has_failed(client, order)]
    again = [await _again(client, order, figures) for order in failed]
    return [order for order in again if order is not None]


async def _has_failed(client: AsyncClient, order: Order) -> bool:
    return (await client.get_run(order.run)).state is RunState.FAILED


async def _again(client: AsyncClient, first: Order, figures: Figures) -> Order | None:
    order = Order(first.job, first.mode, "", selection=first.selection, retries=first.run)
    try:
        order.run = await _retry(client, first.run)
        async with asyncio.timeout(SETTLE_S):
            async for update, _ in client.watch_run(order.run, verbose=3):
                if isinstance(update, Event):
                    order.told.append(update.sequence)
    except (AgiError, TimeoutError) as error:
        what = f"it cannot be retried: {error!r}"
        figures.violations.append(Violation(Breach.LOST, first.run, what))
        return order if order.run else None
    state = (await client.get_run(order.run)).state
    figures.calls[f"retried: {state.value}"] += 1
    return order


async def _retry(client: AsyncClient, run: str) -> str:
    try:
        return (await client.retry_run(run)).id
    except RetryRefusedError:  # a customer has edited the app meanwhile
        return (await client.retry_run(run, current_sources=True)).id
