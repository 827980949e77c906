"""What the keys of ``app_settings.toml`` that we use may hold.

Keys that are not named here belong to others and are never looked at.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard

from agi_env.errors import AgiError, SettingsInvalidError, SlotsInvalidError
from agi_env.scheduler_address import SchedulerAddress, is_host

Key = tuple[str, ...]
"""The names that lead to a value, such as ``("cluster", "pool")``."""

WORKERS: Key = ("cluster", "workers")

FOREIGN_KEYS = frozenset(
    {
        "workers_data_path",
        "ssh_key_path",
        "pool_executor",
        "pool_max_workers",
        "pool_item_timeout",
        "service_health",
    }
)
"""Keys of ``[cluster]`` that other tools use and that we keep."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Problem:
    """One key with a value that cannot be used."""

    key: Key
    what: str
    error: type[AgiError] = SettingsInvalidError


def problems(data: Mapping[str, object]) -> Iterator[Problem]:
    """Everything that is wrong with the settings, in the order in which the keys are known."""
    yield from _args_problems(data.get("args", {}))
    cluster = data.get("cluster", {})
    if not isinstance(cluster, Mapping):
        yield Problem(("cluster",), f"[cluster] must be a table, not {shown(cluster)}")
        return
    for name, rule in RULES.items():
        expected = rule(cluster[name]) if name in cluster else None
        if expected:
            key = ("cluster", name)
            yield Problem(key, f"{dotted(key)} must be {expected}, not {shown(cluster[name])}")
    yield from worker_problems(cluster.get("workers", {}))


def worker_problems(workers: object) -> Iterator[Problem]:
    """Everything that is wrong with a map of hosts to slot counts."""
    if not isinstance(workers, Mapping):
        what = f"cluster.workers must map hosts to slots, not {shown(workers)}"
        yield Problem(WORKERS, what, SlotsInvalidError)
        return
    for host, slots in workers.items():
        key = (*WORKERS, str(host))
        if not is_host(str(host)):
            yield Problem(key, f"{dotted(key)}: this is no host name or address", SlotsInvalidError)
        elif not _is_whole(slots) or slots < 1:
            what = f"{dotted(key)} must be a whole number of slots, 1 or more, not {shown(slots)}"
            yield Problem(key, what, SlotsInvalidError)


def dotted(key: Key) -> str:
    """A key as TOML writes it: ``cluster.workers."192.168.1.21"``."""
    return ".".join(k if _PLAIN_KEY.fullmatch(k) else quoted(k) for k in key)


def quoted(text: str) -> str:
    """A text as TOML writes it."""
    # Not json.dumps: the pairs by which it writes characters such as emoji are no TOML.
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in plain) + '"'


def shown(value: object) -> str:
    """A value as a message shows it: as JSON, shortened."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def is_json(value: object) -> bool:
    """Whether JSON can carry the value: TOML's dates, ``inf`` and ``nan`` it cannot."""
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and is_json(v) for k, v in value.items())
    if isinstance(value, list | tuple):
        return all(is_json(v) for v in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int)


def _args_problems(args: object) -> Iterator[Problem]:
    if not isinstance(args, Mapping):
        yield Problem(("args",), f"[args] must be a table, not {shown(args)}")
        return
    for name, value in args.items():
        key = ("args", str(name))
        if name in ("self", "env"):
            yield Problem(key, f"{dotted(key)} is a name that every app's class has already")
        elif name in ("data_in", "data_out") and not (isinstance(value, str) and value.strip()):
            yield Problem(key, f"{dotted(key)} must be a path, not {shown(value)}")
        elif not is_json(value):
            yield Problem(key, f"{dotted(key)} must be a value that JSON has, not {shown(value)}")


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _boolean(value: object) -> str | None:
    return None if isinstance(value, bool) else "true or false"


def _level(value: object) -> str | None:
    return None if _is_whole(value) and value in range(4) else "a whole number from 0 to 3"


def _text(value: object) -> str | None:
    return None if isinstance(value, str) else "a text"


def _address(value: object) -> str | None:
    expected = 'a host such as "192.168.1.10", with or without a port'
    if not isinstance(value, str):
        return expected
    if not value:
        return None
    try:
        SchedulerAddress.parse(value)
    except ValueError as error:
        return f"{expected} ({error})"
    return None


def _seconds(value: object) -> str | None:
    number = value if _is_whole(value) or isinstance(value, float) else 0
    return None if 0 < number < math.inf else "a number of seconds above 0"


def _count(value: object) -> str | None:
    return None if _is_whole(value) and value >= 1 else "a whole number, 1 or more"


RULES: dict[str, Callable[[object], str | None]] = {
    "cluster_enabled": _boolean,
    "pool": _boolean,
    "cython": _boolean,
    "rapids": _boolean,
    "verbose": _level,
    "scheduler": _address,
    "user": _text,
    "partition_timeout": _seconds,
    "run_timeout": _seconds,
    "max_attempts": _count,
    "cores_per_slot": _count,
}
"""The keys of ``[cluster]`` that we use: what a value should be, or None when it is that."""
