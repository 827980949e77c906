"""Stopping runs on the daemon's own account: past one that cannot be asked, until it is stored.

Whoever has runs of its own, a step or a benchmark, stores first that it is to stop, and the cancel
of each run is another transaction: a crash or a full disk in between leaves runs that nobody has
told. So it is asked until it is stored, and again by who takes the owner up or brings it to its
end; a run that was told is not told twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from agi_cluster.model.run import RunState
from agi_cluster.model.services import RunService
from agi_daemon.defects import defect
from agi_daemon.log import get_log
from agi_daemon.store.complaint import MAY_PASS
from agi_daemon.store.requests import asked_by_nobody
from agi_env.errors import AgiError, RunNotFoundError

_SHORTEST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0

_log = get_log(__name__)

Untold = Mapping[str, AgiError]
"""Runs that could not be told to stop, each with why; the log has it too."""


async def tell_to_stop(runs: RunService, names: Iterable[str], grace_s: float) -> Untold:
    """Tell runs to stop, each whatever becomes of the others.

    Args:
        runs: Where they are cancelled.
        names: The runs; one that is settled, was told, or is forgotten stays as it is.
        grace_s: Seconds that their partitions under way have to end.
    """
    untold: dict[str, AgiError] = {}
    with asked_by_nobody():
        for name in names:
            try:
                await _tell(runs, name, grace_s)
            except AgiError as error:
                _log.warning("a run cannot be told to stop", run=name, why=error)
                untold[name] = error
            except Exception as error:  # noqa: BLE001 - the boundary: logged, and the owner says it
                untold[name] = defect(error, where=f"runs/{name}")
    return untold


async def see_told(runs: RunService, names: Iterable[str], grace_s: float) -> Untold:
    """As ``tell_to_stop``, and again for as long as what keeps the store from it may pass.

    There is no deadline: what its owner comes to cannot be stored meanwhile either. Whoever owns
    the caller ends it.
    """
    names, pause = tuple(names), _SHORTEST_PAUSE_S
    while True:
        untold = await tell_to_stop(runs, names, grace_s)
        if not any(isinstance(why, MAY_PASS) for why in untold.values()):
            return untold
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


async def _tell(runs: RunService, name: str, grace_s: float) -> None:
    try:
        run = await runs.get_run(name)
        if not run.state.settled and run.target is not RunState.CANCELLED:
            await runs.cancel_run(name, grace_seconds=grace_s)
    except RunNotFoundError:
        _log.info("a run that is to stop is forgotten", run=name)
