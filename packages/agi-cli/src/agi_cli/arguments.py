"""What a person wrote on the command line, read into values."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agi_cluster.client.address import Address
from agi_cluster.model.selection import Selection
from agi_env.environment import AgiEnv
from agi_env.errors import InvalidModeError, RequestInvalidError, SlotsInvalidError
from agi_env.mode import Mode
from agi_env.scheduler_address import SchedulerAddress

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def app_reference(app: str) -> str:
    """What to send to the daemon for an app: the absolute path where both are here, else the name.

    Raises:
        AppNotFoundError: No app can have this name, or nothing is at this path.
        AppInvalidError: The folder is no app.
    """
    if app.startswith("apps/") and not Path(app).exists():
        return app
    return Address.here().reference(AgiEnv(app))


def app_name(app: str) -> str:
    """The name of an app that a list is narrowed to; empty for none.

    Raises:
        AppNotFoundError: No app can have this name.
    """
    return AgiEnv(app.removeprefix("apps/")).name if app else ""


def mode_of(text: str | None) -> Mode | None:
    """The mode with this number; None leaves it to the settings.

    Raises:
        InvalidModeError: It is no number of 0 to 15.
    """
    if text is None:
        return None
    try:
        return Mode.parse(int(text))
    except ValueError as error:
        raise InvalidModeError(text) from error


def modes_of(text: str) -> tuple[Mode, ...]:
    """The modes in a list such as ``0,1,4``; none for an empty text.

    Raises:
        InvalidModeError: One is no number of 0 to 15.
    """
    found = (mode_of(part.strip()) for part in text.split(",") if part.strip())
    return tuple(mode for mode in found if mode is not None)


def selection_of(
    workers: Sequence[str] | None, scheduler: str = "", cores_per_slot: int = 0
) -> Selection:
    """The hosts that a command chooses; what is left out comes from the settings.

    Raises:
        SlotsInvalidError: A worker is not HOST=SLOTS, with a whole number of 1 or more.
        RequestInvalidError: A host is given twice, or the scheduler is none.
    """
    chosen = slots_of(workers, "--worker")
    return Selection(scheduler=_scheduler(scheduler), workers=chosen, cores_per_slot=cores_per_slot)


def slots_of(workers: Sequence[str] | None, option: str) -> dict[str, int]:
    """The slots of hosts from HOST=SLOTS.

    Raises:
        SlotsInvalidError: One is not HOST=SLOTS, with a whole number of 1 or more.
        RequestInvalidError: A host is given twice.
    """
    chosen: dict[str, int] = {}
    for text in workers or ():
        host, slots = _worker(text, option)
        if host in chosen:
            raise RequestInvalidError(f"{host} is given twice", where=option)
        chosen[host] = slots
    return chosen


def app_args(pairs: Sequence[str] | None) -> dict[str, Any]:
    """The app's arguments from KEY=VALUE; a value that is not TOML is text.

    Raises:
        RequestInvalidError: One has no ``=`` or no key.
    """
    args: dict[str, Any] = {}
    for pair in pairs or ():
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise RequestInvalidError(
                f"{pair!r} is no argument", where="--arg", remedy="Give KEY=VALUE"
            )
        args[key.strip()] = toml_value(value)
    return args


def toml_value(text: str) -> Any:
    """The value that a text has as TOML, if JSON knows it too; else the text."""
    try:
        values = tomllib.loads(f"value = {text}")
        json.dumps(values, allow_nan=False)
    except (tomllib.TOMLDecodeError, RecursionError, TypeError, ValueError):
        return text
    return values["value"] if len(values) == 1 else text


def age(text: str, where: str) -> float | None:
    """Seconds of an age such as 90s, 15m, 12h or 30d; None where none is given.

    Raises:
        RequestInvalidError: It is none.
    """
    if not text:
        return None
    try:
        seconds = float(text[:-1]) * _SECONDS[text[-1]]
    except (ValueError, KeyError) as error:
        raise RequestInvalidError(
            f"{text!r} is no age", where=where, remedy="Give a number with s, m, h or d: 30d"
        ) from error
    return seconds


def _worker(text: str, option: str) -> tuple[str, int]:
    host, equals, slots = text.rpartition("=")
    if not equals or not host:
        raise SlotsInvalidError(f"{text!r} is not HOST=SLOTS", where=option)
    if not (slots.isascii() and slots.isdigit() and int(slots) >= 1):
        raise SlotsInvalidError(
            f"{slots!r} is no slot count", where=f"{option} {host}", metadata={"host": host}
        )
    return host, int(slots)


def _scheduler(text: str) -> str:
    try:
        if text:
            SchedulerAddress.parse(text)
    except ValueError as error:
        raise RequestInvalidError(
            str(error), where="--scheduler", remedy="Give HOST or HOST:PORT"
        ) from error
    return text
