"""What an app is, where things are, and the runtime that runner and worker execute.

The names below are looked up when they are first used, so that ``import agi_env`` costs next to
nothing wherever only one of them is wanted.
"""

from __future__ import annotations

from importlib import import_module

# Type checkers take this for true. Importing typing would cost more than all the rest here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from agi_env.environment import AgiEnv
    from agi_env.errors import AgiError
    from agi_env.mode import Mode
    from agi_env.runtime.base_app import BaseApp
    from agi_env.runtime.base_worker import BaseWorker
    from agi_env.runtime.partitions import Partition

__all__ = ["AgiEnv", "AgiError", "BaseApp", "BaseWorker", "Mode", "Partition"]

_HOMES = {
    "AgiEnv": "agi_env.environment",
    "AgiError": "agi_env.errors",
    "BaseApp": "agi_env.runtime.base_app",
    "BaseWorker": "agi_env.runtime.base_worker",
    "Mode": "agi_env.mode",
    "Partition": "agi_env.runtime.partitions",
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
