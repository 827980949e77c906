"""Typed clients of the agi daemon, asynchronous and synchronous.

::

    async with AsyncClient() as client:
        run = await client.start_run(StartRun(app="flights_project"))

    with Client() as client:
        page = client.list_runs()

The names below are looked up when they are first used: naming this package loads no gRPC.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agi_cluster.client.address import Address
    from agi_cluster.client.client import AsyncClient
    from agi_cluster.client.deadlines import Deadlines
    from agi_cluster.client.sync import Client

__all__ = ["Address", "AsyncClient", "Client", "Deadlines"]

_HOMES = {
    "Address": "agi_cluster.client.address",
    "AsyncClient": "agi_cluster.client.client",
    "Client": "agi_cluster.client.sync",
    "Deadlines": "agi_cluster.client.deadlines",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
