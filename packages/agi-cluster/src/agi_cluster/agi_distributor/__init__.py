"""The AGI facade: install an app, look at its distribution, run it.

::

    import asyncio
    from agi_cluster.agi_distributor import AGI
    from agi_env import AgiEnv

    async def main():
        app_env = AgiEnv(app="mycode_project", verbose=1)
        result = await AGI.run(app_env, workers={"127.0.0.1": 2}, mode=1)
        print(result)

    asyncio.run(main())

The names below are looked up when they are first used; gRPC is loaded by the first call.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agi_cluster.agi_distributor.benchmark import BenchmarkResult
    from agi_cluster.agi_distributor.distribution import Distribution
    from agi_cluster.agi_distributor.facade import AGI
    from agi_cluster.agi_distributor.installed import Installed
    from agi_cluster.agi_distributor.request import RunRequest
    from agi_cluster.agi_distributor.result import RunResult
    from agi_cluster.model.run import SnippetOrigin

__all__ = [
    "AGI",
    "BenchmarkResult",
    "Distribution",
    "Installed",
    "RunRequest",
    "RunResult",
    "SnippetOrigin",
]

_HOMES = {
    "AGI": "agi_cluster.agi_distributor.facade",
    "BenchmarkResult": "agi_cluster.agi_distributor.benchmark",
    "Distribution": "agi_cluster.agi_distributor.distribution",
    "Installed": "agi_cluster.agi_distributor.installed",
    "RunRequest": "agi_cluster.agi_distributor.request",
    "RunResult": "agi_cluster.agi_distributor.result",
    "SnippetOrigin": "agi_cluster.model.run",
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
