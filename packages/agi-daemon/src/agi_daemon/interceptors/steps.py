"""On whose behalf a call is made: the token of a pipeline's step that comes with it."""

from __future__ import annotations

from typing import Any

from agi_cluster.client.step import HEADER
from agi_daemon.interceptors.surround import Behaviour, Context, Surround
from agi_daemon.store.requests import STEP_TOKEN


class StepTokens(Surround):
    """Notes the token of a step where the core looks for it when something is made."""

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Note the token for as long as the behaviour goes on."""

        async def call(request: Any, context: Context) -> Any:
            found = (value for key, value in context.invocation_metadata() or () if key == HEADER)
            noted = STEP_TOKEN.set(str(next(found, "")))
            try:
                return await behaviour(request, context)
            finally:
                STEP_TOKEN.reset(noted)

        return call
